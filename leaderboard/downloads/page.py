"""Makes every download and the page that lists them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from leaderboard.ablations.section import Ablation, find_ablations
from leaderboard.agreement.section import agreement_of
from leaderboard.crowds import crowd_points, indexed_points
from leaderboard.dataset_card import dataset_card
from leaderboard.downloads.ablations import ablation_records, ablation_tex
from leaderboard.downloads.agreement import agreement_records
from leaderboard.downloads.bibtex import bibtex, merge_sources
from leaderboard.downloads.columns import COLUMNS
from leaderboard.downloads.files import FOLDER, ablation_file, ground_file, list_downloads
from leaderboard.downloads.latex import tex_table
from leaderboard.downloads.rankings import difference_records, ranking_records, ranking_tex
from leaderboard.downloads.reported import reported_records
from leaderboard.downloads.run_records import all_runs, evaluation_lines, run_line, run_object
from leaderboard.downloads.sheets import csv_text, json_text
from leaderboard.downloads.views import DownloadsPage, Offer, OfferGroup
from leaderboard.ranking.competitors import make_board
from leaderboard.records.load import Ground, Run
from leaderboard.reported.figures import own_figures
from leaderboard.site.render import render_page
from leaderboard.site.site import File, Site
from leaderboard.typography import counted, day, page_names

FILE = "downloads.html"
Files = dict[str, File]


def make_files(site: Site) -> Files:
    """Return every file that can be taken away, and the page that lists them."""
    files: Files = {}
    groups = [_site_group(site, files)]
    groups += [_ground_group(site, ground, files) for ground in site.grounds]
    page = DownloadsPage(tuple(groups), COLUMNS)
    return {**files, FILE: render_page("downloads", page, FILE, site.stamp)}


def _site_group(site: Site, files: Files) -> OfferGroup:
    runs = all_runs(site)
    latest = max(run.record.started for run in runs)
    cited = [
        (run.record.paper, run.record.url, site.addresses.titles[run.record.method])
        for run in {run.record.method: run for run in runs}.values()
    ]
    sources = merge_sources(cited)
    made: Files = {
        f"{FOLDER}/runs.csv": csv_text([run_line(run) for run in runs]),
        f"{FOLDER}/runs.json": json_text([run_object(run) for run in runs]),
        f"{FOLDER}/papers.bib": bibtex(sources, day(latest)),
    }
    files |= made
    tables, papers = list(made)[:2], list(made)[2:]
    further = _evaluation_offers(runs, files)
    return OfferGroup(
        anchor="whole-site",
        title="All runs",
        suite="",
        drawn=False,
        warnings=(),
        offers=(
            Offer("Runs", f"{counted(len(runs), 'run')}, one a line; JSON holds each record whole",
                  list_downloads(files, tables)),
            *further,
            *_reported_offers(site, files),
            Offer("Papers", f"{counted(len(sources), 'paper')} of the methods, and this benchmark",
                  list_downloads(files, papers)),
        ),
    )  # fmt: skip


def _reported_offers(site: Site, files: Files) -> tuple[Offer, ...]:
    figures = list(reported_records(site.papers))
    if not figures:
        return ()
    made: Files = {
        f"{FOLDER}/reported.csv": csv_text(figures),
        f"{FOLDER}/reported.json": json_text(figures),
    }
    files |= made
    about = f"{counted(len(figures), 'figure')} that papers print, with paper, table and row"
    return (Offer("Reported figures", about, list_downloads(files, list(made))),)


def _evaluation_offers(runs: Sequence[Run], files: Files) -> tuple[Offer, ...]:
    lines = [line for run in runs for line in evaluation_lines(run)]
    if not lines:
        return ()
    made: Files = {
        f"{FOLDER}/evaluations.csv": csv_text(lines),
        f"{FOLDER}/evaluations.json": json_text(lines),
    }
    files |= made
    about = (
        f"{counted(len(lines), 'evaluation')} of single runs, re-ranked or with other queries, and "
        "what a query took"
    )
    return (Offer("Further evaluations", about, list_downloads(files, list(made))),)


def _ground_group(site: Site, ground: Ground, files: Files) -> OfferGroup:
    anchor = site.addresses.anchors[ground.label]
    card = dataset_card(ground, anchor, ground.runs)
    return OfferGroup(
        anchor=f"files-{anchor}",
        title=card.title,
        suite=card.suite,
        drawn=card.drawn,
        warnings=card.warnings,
        offers=(
            *_ranking_offers(site, ground, files),
            *_agreement_offers(site, ground, files),
            *_ablation_offers(site, ground, files),
            *_crowd_offers(site, ground, files),
        ),
    )


def _ranking_offers(site: Site, ground: Ground, files: Files) -> Iterator[Offer]:
    board = make_board(site, ground)
    anchor = board.anchor
    methods, pairs = ranking_records(board), list(difference_records(board))
    ranking: Files = {
        ground_file(anchor, "ranking.csv"): csv_text(methods),
        ground_file(anchor, "ranking.json"): json_text(methods),
    }
    if board.ranked:
        ranking[ground_file(anchor, "ranking.tex")] = tex_table(ranking_tex(board, anchor))
    differences: Files = {
        ground_file(anchor, "differences.csv"): csv_text(pairs),
        ground_file(anchor, "differences.json"): json_text(pairs),
    }
    files |= ranking
    yield Offer("Ranking", counted(len(methods), "method"), list_downloads(files, list(ranking)))
    if pairs:
        files |= differences
        about = "every pair of methods by every metric, with intervals and p-values"
        yield Offer("Differences", about, list_downloads(files, list(differences)))


def _agreement_offers(site: Site, ground: Ground, files: Files) -> Iterator[Offer]:
    agreement = agreement_of(site, ground)
    claims = list(agreement_records(agreement))
    if not claims:
        return
    anchor = site.addresses.anchors[ground.label]
    made: Files = {
        ground_file(anchor, "agreement.csv"): csv_text(claims),
        ground_file(anchor, "agreement.json"): json_text(claims),
    }
    files |= made
    about = (
        f"{counted(len(claims), 'difference')} that papers print for {agreement.printed_on}, each "
        "beside the one measured here"
    )
    yield Offer("Agreement with papers", about, list_downloads(files, list(made)))


def _ablation_offers(site: Site, ground: Ground, files: Files) -> Iterator[Offer]:
    found = [(method, table) for method in sorted(ground.methods)
             for table in find_ablations(method, ground, site.papers.get(method))]  # fmt: skip
    for method, table in found:
        titles = page_names(other.title for name, other in found if name == method)
        made = _ablation_files(site, ground, method, table, titles[table.title])
        files |= made
        alias = site.addresses.alias(method)
        title = f"{site.addresses.titles[method]}{f' ({alias})' if alias else ''}"
        about = counted(len(table.rows), "row")
        yield Offer(f"{title}: {table.title}", about, list_downloads(files, list(made)))


def _ablation_files(site: Site, ground: Ground, method: str, table: Ablation, name: str) -> Files:
    addresses = site.addresses
    anchor, page = addresses.anchors[ground.label], addresses.files[method]
    ledger = site.contests[ground.label].ledger
    records = ablation_records(table, ledger, own_figures(site.papers, method, ground))
    title = f"{addresses.titles[method]}, {table.title}"
    label = f"tab:{PurePosixPath(page).stem}-{name}"
    return {
        ablation_file(anchor, page, name, ".csv"): csv_text(records),
        ablation_file(anchor, page, name, ".json"): json_text(records),
        ablation_file(anchor, page, name, ".tex"): tex_table(
            ablation_tex(table, ledger, ground, title, label)
        ),
    }


def _crowd_offers(site: Site, ground: Ground, files: Files) -> tuple[Offer, ...]:
    points = list(crowd_points(ground))
    if not points:
        return ()
    anchor = site.addresses.anchors[ground.label]
    made: Files = {
        ground_file(anchor, "crowds.csv"): csv_text(points),
        ground_file(anchor, "crowds.json"): json_text(points),
    }
    about = "Every method at every size of its gallery, with intervals and what was foretold"
    if indexed := list(indexed_points(ground)):
        about += "; what indexes missed and saved"
        made |= {
            ground_file(anchor, "crowd-indexes.csv"): csv_text(indexed),
            ground_file(anchor, "crowd-indexes.json"): json_text(indexed),
        }
    files |= made
    return (Offer("In a crowd", about, list_downloads(files, list(made))),)
