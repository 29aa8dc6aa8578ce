"""The page of datasets: whether the ground that figures stand on can be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.data.digest import Digest
from leaderboard.datasets.audit_words import audit_table, count_table, findings
from leaderboard.datasets.contents import Content, find_contents
from leaderboard.datasets.histograms import count_by, histogram
from leaderboard.datasets.sample import explain_sample, read_pictures, show_sample
from leaderboard.datasets.transfer import transfer_tables
from leaderboard.datasets.views import DatasetSection, DatasetsPage, Figure, Place
from leaderboard.site.addresses import Addresses
from leaderboard.site.render import render_page
from leaderboard.site.site import File, Site
from leaderboard.typography import counted, listed, page_names, plain, web_address

FILE = "datasets.html"
NO_DIGEST = (
    "The results hold no digest of this content, so nothing could be audited and nothing of it can"
    " be shown. A run that loads the dataset writes one; these runs did not or it was lost."
)


def make_files(site: Site) -> dict[str, File]:
    """Return the page and the pictures on it."""
    contents = find_contents(site)
    anchors = _anchors(contents)
    page = DatasetsPage(
        tuple(
            _section(content, anchor, _rivals(content, contents), site.addresses)
            for content, anchor in zip(contents, anchors, strict=True)
        ),
        transfer_tables(site),
    )
    files: dict[str, File] = {FILE: render_page("datasets", page, FILE, site.stamp)}
    for content, anchor in zip(contents, anchors, strict=True):
        files |= read_pictures(content.digest, anchor) if content.digest else {}
    return files


def _anchors(contents: Sequence[Content]) -> list[str]:
    labels = [f"{content.dataset}\n{content.fingerprint}" for content in contents]
    return [f"dataset-{name}" for name in page_names(labels).values()]


def _rivals(content: Content, contents: Sequence[Content]) -> int:
    """Return how many contents have the dataset's name."""
    return Counter(other.dataset for other in contents)[content.dataset]


def _section(content: Content, anchor: str, contents: int, addresses: Addresses) -> DatasetSection:
    declared, about, digest = content.declared, content.about, content.digest
    source = about or declared
    audit = about.get("audit")
    warning = (
        f"The results hold {contents} contents under the name {content.dataset}. Figures on one"
        " cannot be compared with figures on another."
    )
    return DatasetSection(
        anchor=anchor,
        title=plain(source.get("title") or content.dataset),
        places=tuple(
            Place(ground.suite, f"index.html#{addresses.anchors[ground.label]}")
            for ground in content.grounds
        ),
        drawn=bool(source.get("drawn")),
        warnings=(warning,) if contents > 1 else (),
        facts=tuple((name, text) for name, text in _facts(content).items() if text),
        url=web_address(plain(source.get("url", ""))),
        counts=count_table(about.get("counts") or declared.get("counts"), audit),
        findings=findings(audit),
        audit=audit_table(audit),
        about_distributions=_about_distributions(digest),
        figures=_figures(digest, anchor) if digest else (),
        about_sample=explain_sample(digest) if digest else "",
        sample=show_sample(digest, anchor) if digest else (),
        missing="" if digest else NO_DIGEST,
    )


def _facts(content: Content) -> dict[str, str]:
    source = content.about or content.declared
    methods = len({run.record.method for run in content.runs})
    return {
        "About": plain(source.get("note", "")),
        "Verdict": "" if source.get("drawn") else _verdict(content.about.get("verdict")),
        "Licence": plain(source.get("licence", "")) or "not declared",
        "Fingerprint": content.fingerprint or "not recorded",
        "Runs": f"{counted(len(content.runs), 'run')} of {counted(methods, 'method')}",
        "Cameras": _cameras(content.digest),
    }


def _verdict(verdict: Any) -> str:
    """Say whether it is an official benchmark, and why."""
    if not isinstance(verdict, Mapping):
        return ""
    status, reason = plain(verdict.get("status", "")), plain(verdict.get("reason", ""))
    if status == "official" and not verdict.get("annotation"):
        status = "official numbers"  # older code compared counts alone
    return f"{status}: {reason}"


def _cameras(digest: Digest | None) -> str:
    """Write how many test images each camera took."""
    known = [camera for camera in digest.cameras if camera is not None] if digest else []
    taken = Counter(known).most_common()
    return listed([f"{name} {number:,}" for name, number in taken])[:1000] if taken else ""


def _about_distributions(digest: Digest | None) -> str:
    if digest is None:
        return ""
    return (
        f"The test split: {counted(len(digest.words), 'caption')} of"
        f" {counted(len(digest.image_ids), 'image')}. Attributes are counted by a lexicon of what"
        " people say of pedestrians: a thing once, and a colour, pattern or cut once a thing."
    )


def _figures(digest: Digest, anchor: str) -> tuple[Figure, ...]:
    if not len(digest.words):
        return ()
    return (
        histogram(f"{anchor}-words", "words in a caption", "captions", digest.words),
        histogram(
            f"{anchor}-attributes", "attributes a caption names", "captions", digest.attributes
        ),
        histogram(
            f"{anchor}-images", "images of an identity", "identities",
            count_by(digest.person_of_image),
        ),
    )  # fmt: skip
