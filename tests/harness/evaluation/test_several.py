"""Several captions of a person asked as one, against obvious loops."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.data.schema import Split
from harness.errors import HarnessError
from harness.evaluation import Features
from harness.evaluation.embeddings import Embeddings
from harness.evaluation.rescoring import Items
from harness.evaluation.several import joined_texts, put_together, score_together
from harness.method import Encoded, Method
from harness.plan.asking import expand_queries
from harness.results.protocols import Several, protocol_of

PEOPLE, IMAGES, CAPTIONS, WIDTH = 6, 3, 2, 8
QUERIES, GALLERY = PEOPLE * IMAGES * CAPTIONS, PEOPLE * IMAGES


class Spells(Method):
    """Embeds a text by the sum of what its words are worth."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def encode_images(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def training_losses(self, batch: Any, run: Any) -> dict[str, Tensor]:
        raise NotImplementedError

    def encode_texts(self, captions: Any) -> Tensor:
        return torch.stack([sum(map(worth, text.split()), torch.zeros(WIDTH)) for text in captions])


def worth(word: str) -> Tensor:
    """Return the embedding of a word."""
    return torch.randn(WIDTH, generator=torch.Generator().manual_seed(int(word)))


class Rescores(Spells):
    """Looks again at candidates, and prefers what it liked least."""

    def rescore(self, texts: Encoded, images: Encoded, image_of_text: Tensor) -> Tensor:
        return -(texts.embedding * images.embedding[image_of_text]).sum(dim=1)


@pytest.fixture(scope="module")
def split() -> Split:
    """Six people with three images, two captions each; one person has a single caption more."""
    images = np.arange(GALLERY)
    captions = (*(f"{number} {number + 1000}" for number in range(QUERIES)), "5000", "5001")
    return Split(
        "test",
        lambda row: b"",
        tuple(f"i{row}" for row in range(GALLERY + 2)),
        captions,
        np.concatenate([np.repeat(images, CAPTIONS), [GALLERY, GALLERY + 1]]),
        np.concatenate([images // IMAGES, [PEOPLE, PEOPLE + 1]]),
        fingerprint="a" * 64,
    )


@pytest.fixture(scope="module")
def features(split: Split) -> Features:
    """Embeddings of captions by their words, and of images at random."""
    drawn = torch.Generator().manual_seed(1)
    images = torch.randn(len(split.image_ids), WIDTH, generator=drawn)
    texts = Spells().encode_texts(split.captions)

    def token_texts(rows: Tensor) -> Encoded:
        return Encoded(texts[rows], texts[rows][:, None])

    def token_images(rows: Tensor) -> Encoded:
        return Encoded(images[rows], images[rows][:, None])

    return Features(
        Embeddings(images, texts, 0.0, 0.0), Encoded(images), Encoded(texts),
        Items(token_images, len(images)), Items(token_texts, len(texts)),
    )  # fmt: skip


def first_hits(scores: Any, split: Split) -> list[int]:
    """Return the rank of the first right image of each query, by a full sort; there are no ties."""
    hits = []
    for row, person in zip(np.asarray(scores), split.person_of_caption, strict=True):
        order = np.argsort(-row, kind="stable")
        hits.append(1 + int(np.argmax(split.person_of_image[order] == person)))
    return hits


def unit(vectors: Tensor) -> Tensor:
    """Return vectors of length one."""
    return torch.nn.functional.normalize(vectors, dim=-1)


@pytest.mark.parametrize("witnesses", [2, 3])
def test_a_caption_stands_with_others_of_its_person(split: Split, witnesses: int) -> None:
    """Itself first, none twice, all of one person, other images before its own; twice the same."""
    together = put_together(split, witnesses)
    assert np.array_equal(together.rows, put_together(split, witnesses).rows)
    assert together.rows[:, 0].tolist() == list(range(len(split.captions)))
    for rows, count in zip(together.rows, together.counts, strict=True):
        assert len({*split.person_of_caption[rows]}) == 1
        if split.person_of_caption[rows[0]] >= PEOPLE:
            assert (count, set(rows.tolist())) == (1, {rows[0]})
        else:
            assert count == len({*rows}) == len({*split.image_of_caption[rows]}) == witnesses
    other = put_together(replace(split, fingerprint="b" * 64), witnesses)
    assert not np.array_equal(other.rows, together.rows)


def test_the_same_image_is_asked_again_where_there_is_no_other(split: Split) -> None:
    """Two captions of a person's only image are two witnesses of it."""
    one = replace(
        split, captions=("1", "2", "3"), image_of_caption=np.array([0, 0, 3]), image_ids=("a",) * 4
    )
    assert put_together(one, 3).rows[:2].tolist() == [[0, 1, 0], [1, 0, 1]]
    assert put_together(one, 3).counts.tolist() == [2, 2, 1]


def test_three_fusions_are_what_a_loop_finds(split: Split, features: Features) -> None:
    """Joined text, the mean of embeddings as they are, and the mean of cosines."""
    method, together = Spells(), put_together(split, 3)
    images = unit(features.images.embedding)
    texts = features.texts.embedding
    for fusion in ("text", "embeddings", "scores"):
        found = score_together(method, features, split, 0, together, fusion)
        wanted = []
        for rows, count in zip(together.rows.tolist(), together.counts.tolist(), strict=True):
            if fusion == "text":
                asked = method.encode_texts([" ".join(split.captions[r] for r in rows[:count])])[0]
                wanted.append(unit(asked) @ images.T)
            elif fusion == "embeddings":
                wanted.append(unit(sum(texts[r] for r in rows) / 3) @ images.T)
            else:
                wanted.append(sum(unit(texts[r]) @ images.T for r in rows) / 3)
        assert found.first_hit.tolist() == first_hits(torch.stack(wanted), split), fusion


def test_who_has_one_caption_is_asked_as_before(split: Split, features: Features) -> None:
    """Nothing joins it, so it ranks as it does alone, in every fusion."""
    together = put_together(split, 2)
    alone = unit(features.texts.embedding) @ unit(features.images.embedding).T
    for fusion in ("text", "embeddings", "scores"):
        found = score_together(Spells(), features, split, 0, together, fusion)
        assert found.first_hit[-2:].tolist() == first_hits(alone, split)[-2:]


def test_scores_of_a_method_that_rescores_are_averaged_as_it_ranks(
    split: Split, features: Features
) -> None:
    """Its candidates' levels count for each caption, and the cosine for all other images."""
    candidates, together = 4, put_together(split, 2)
    found = score_together(Rescores(), features, split, candidates, together, "scores")
    cosines = unit(features.texts.embedding) @ unit(features.images.embedding).T
    products = features.texts.embedding @ features.images.embedding.T
    scores = cosines.clone()
    for row in range(len(split.captions)):
        best = torch.topk(cosines[row], candidates).indices
        for level, place in enumerate(torch.argsort(-products[row, best]).tolist()):
            scores[row, best[place]] = 2 + level  # what it liked least stands highest
    wanted = scores[torch.from_numpy(together.rows)].mean(dim=1)
    hits = first_hits(wanted, split)
    clear = [row for row, of_one in enumerate(wanted) if len(of_one.unique()) == len(of_one)]
    assert len(clear) > QUERIES / 2
    assert [found.first_hit[row] for row in clear] == [hits[row] for row in clear]


def test_names_stand_for_settings() -> None:
    """A bare name is all it offers; a part of its settings all that is left open."""
    every = expand_queries(["several"])
    assert len(every) == 6
    assert expand_queries(["several:people=3", "several"])[:3] == every[3:]
    assert expand_queries(["several:fusion=text,people=2"]) == ("several:people=2,fusion=text",)
    assert protocol_of("several:people=2,fusion=text") == Several(2, "text")
    assert protocol_of("masked-nouns") is None
    words = expand_queries(["words", "typos"])
    assert sorted(words) == ["german", "synonyms", "typos", "word-order", "wrong-attribute"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("several:people=4", r"no several: people '4'.* There are: 2, 3"),
        ("several:poeple=2", r"no setting of several 'poeple'. Did you mean 'people'"),
        ("several:people=2,people=3", "people is given twice"),
        ("several:", "no setting of several ''"),
        ("severl", "no query transform 'severl'"),
    ],
)
def test_what_is_not_known_is_refused(name: str, told: str) -> None:
    """With what was meant and what there is."""
    with pytest.raises(HarnessError, match=told):
        expand_queries([name])


def test_joined_texts_are_in_order(split: Split) -> None:
    """The query's own caption first, each once."""
    together = put_together(split, 2)
    texts = joined_texts(split, together)
    assert texts[0] == f"0 1000 {split.captions[together.rows[0, 1]]}"
    assert texts[-1] == "5001"
