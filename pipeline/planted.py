"""Copies that are planted among articles, to see which of them a run finds.

Labels that people gave to pairs start from pairs that some method had found alike, so
they cannot show what every method misses. A planted copy is one by construction. Beside
them stand notices of one template with other facts, which are no copies by construction.
"""

import dataclasses
import datetime
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.copy_agreement import NOT_FOUND, RELATIONS, SAME_GROUP, Copies, share

SEED = 1

# Articles with fewer words are not copied: of a cut at 30 % too little would be left.
LEAST_WORDS = 100

# What is done to a copy: share of its words that are others, share of them that is kept.
KINDS = {
    "exact": (0.0, 1.0),
    "5 % of words edited": (0.05, 1.0),
    "10 % of words edited": (0.10, 1.0),
    "cut at 60 %": (0.0, 0.6),
    "cut at 30 %": (0.0, 0.3),
}

_WORD = re.compile(r"\S+")
_HOURS_LATER = 6


@dataclasses.dataclass(frozen=True)
class Planted:
    """A planted copy: its id, what it is a copy of, and one of KINDS."""

    article_id: str
    original: str
    kind: str


def planted_copies(
    articles: Sequence[Mapping[str, Any]], number: int, *, seed: int = SEED
) -> tuple[list[dict[str, Any]], list[Planted]]:
    """Make copies, each of another article, as other sites would print them.

    Args:
      articles: rows of `articles/`: their cleaned texts are copied, one of each copy
        group.
      number: copies of each of KINDS.
      seed: chooses the articles and the edits.

    Returns:
      Articles to be read beside the others, and what they are copies of.

    Raises:
      ValueError: if there are too few articles of LEAST_WORDS.
    """
    by_group = {
        row["duplicate_group_id"]: row
        for row in sorted(articles, key=lambda row: row["article_id"], reverse=True)
        if row["word_count"] >= LEAST_WORDS and not row["thin"]
    }
    fit = [by_group[group] for group in sorted(by_group)]
    if len(fit) < number * len(KINDS):
        raise ValueError(
            f"copies can be planted of {len(KINDS)} x {number} articles of at least "
            f"{LEAST_WORDS} words, there are {len(fit)}"
        )
    random = np.random.default_rng(seed)
    chosen = iter(random.permutation(len(fit)).tolist())
    vocabulary = sorted({word for row in fit for word in _WORD.findall(row["text"])})
    rows: list[dict[str, Any]] = []
    planted: list[Planted] = []
    for kind, (edited, kept) in KINDS.items():
        for one in range(number):
            original = fit[next(chosen)]
            article_id = f"planted-{len(planted)}"
            published = original["published_at"]
            if published is not None:
                published += datetime.timedelta(hours=_HOURS_LATER)
            rows.append(
                {
                    "id": article_id,
                    "source": f"copies-{one}.example",
                    "published_at": published and published.isoformat(),
                    "title": original["title"],
                    "text": altered(
                        original["text"],
                        edited=edited,
                        kept=kept,
                        vocabulary=vocabulary,
                        random=random,
                    ),
                    "language": original["language"],
                }
            )
            planted.append(Planted(article_id, original["article_id"], kind))
    return rows, planted


def altered(
    text: str,
    *,
    edited: float,
    kept: float,
    vocabulary: Sequence[str],
    random: np.random.Generator,
) -> str:
    """Cut a text, and put other words in the place of some; lines stay as they are.

    Args:
      text: to copy.
      edited: share of its words that are replaced, 0 to 1.
      kept: share of its words that are kept, from the beginning, 0 to 1.
      vocabulary: the other words.
      random: draws them and their places.
    """
    words = list(_WORD.finditer(text))
    words = words[: round(kept * len(words))]
    replaced = set(
        random.choice(len(words), round(edited * len(words)), replace=False).tolist()
    )
    parts, end = [], 0
    for place, word in enumerate(words):
        parts.append(text[end : word.start()])
        parts.append(
            vocabulary[int(random.integers(len(vocabulary)))]
            if place in replaced
            else word.group()
        )
        end = word.end()
    return "".join(parts)


def planted_scores(
    planted: Sequence[Planted], notices: Sequence[str], copies: Copies
) -> dict[str, Any]:
    """Count what a run found of planted copies and took of notices for copies.

    Args:
      planted: the copies.
      notices: ids of the notices.
      copies: what the run found.

    Returns:
      `copies`: by kind `planted`, `found` (a share) and the relation found of how many.
      `notices`: how many there are, and the `pairs_taken_for_copies`, which are wrong.
    """
    by_kind = {}
    for kind in KINDS:
        found = Counter(
            copies.relation(one.article_id, one.original)
            for one in planted
            if one.kind == kind
        )
        number = found.total()
        by_kind[kind] = {
            "planted": number,
            "found": share(number - found[NOT_FOUND], number),
            **{name: found[name] for name in (*RELATIONS, SAME_GROUP, NOT_FOUND)},
        }
    return {
        "copies": by_kind,
        "notices": {
            "notices": len(notices),
            "pairs_taken_for_copies": len(notice_pairs(notices, copies)),
        },
    }


def notice_pairs(notices: Sequence[str], copies: Copies) -> list[tuple[str, str]]:
    """Give the pairs of notices that a run took for copies or put into one group."""
    return [
        (a, b)
        for place, a in enumerate(notices)
        for b in notices[place + 1 :]
        if copies.relation(a, b) != NOT_FOUND
    ]


def planted_mistakes(
    planted: Sequence[Planted], notices: Sequence[str], copies: Copies
) -> list[tuple[str, str, str]]:
    """Give what went wrong and the ids of the pair, false copies first."""
    return [
        *(("notices taken for copies", a, b) for a, b in notice_pairs(notices, copies)),
        *(
            (f"missed: {one.kind}", one.article_id, one.original)
            for one in planted
            if copies.relation(one.article_id, one.original) == NOT_FOUND
        ),
    ]
