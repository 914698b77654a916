"""Rewrites: which reports of a story retell another one, sentence by sentence.

What makes a rewrite is said in `relations`. Here the reports of many stories are worked
on together: the few that are worth reading are read in one go, because a transformer is
as dear for ten sentences as for thirty.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from transforms.relations import (
    RewriteRule,
    align,
    chain,
    is_wire_rewrite,
    may_be_rewrite,
)
from transforms.sentences import (
    Rarity,
    content_sentences,
    sentence_terms,
    shared_cosines,
)

Row = Mapping[str, Any]

# Embeds sentences: shape (n,) to (n, d), unit vectors.
Reader: TypeAlias = Callable[[Sequence[str]], npt.NDArray[np.float32]]

# Which report retells which: position to position.
Rewrites: TypeAlias = dict[int, int]


def find_rewrites(
    stories: Sequence[Sequence[Row]], *, reader: Reader, rarity: Rarity, rule: RewriteRule
) -> list[Rewrites]:
    """Find the reports that retell another of their story; each with the one it retells.

    Of two that retell each other the later is the rewrite.

    Args:
      stories: the speakers of each story, in the order of their publication.
      reader: embeds sentences.
      rarity: what a term weighs.
      rule: what makes a rewrite.

    Returns:
      For each story, positions of its rewrites and of what they retell.
    """
    pairs = [
        (story, later, earlier)
        for story, reports in enumerate(stories)
        for later, earlier in _comparable(reports, rule)
    ]
    reports = sorted({(pair[0], place) for pair in pairs for place in pair[1:]})
    texts = {
        (story, place): content_sentences(stories[story][place]["text"])[
            : rule.max_sentences
        ]
        for story, place in reports
    }
    languages = [stories[story][place]["language"] for story, place in reports]
    terms = dict(
        zip(
            reports,
            sentence_terms([texts[report] for report in reports], languages, rarity),
            strict=True,
        )
    )
    worth = []
    for story, later, earlier in pairs:
        shared = shared_cosines(terms[story, later], terms[story, earlier])
        if may_be_rewrite(chain(shared, related_cosine=rule.shared_cosine), rule):
            worth.append((story, later, earlier))
    read = _read(sorted({(pair[0], i) for pair in worth for i in pair[1:]}), texts, reader)
    found: list[Rewrites] = [{} for _ in stories]
    # Rather of an origin than of another rewrite, then of the nearest.
    best: dict[tuple[int, int], tuple[bool, float]] = {}
    for story, later, earlier in worth:
        cosines = read[story, later] @ read[story, earlier].T
        related = chain(cosines, related_cosine=rule.related_cosine)
        near = (earlier not in found[story], related.strength)
        if near > best.get((story, later), (False, 0.0)) and is_wire_rewrite(
            align(cosines, min_cosine=rule.min_cosine), related, rule
        ):
            best[story, later] = near
            found[story][later] = earlier
    return found


def origin(report: int, rewrites: Mapping[int, int]) -> int:
    """Follow a rewrite to the report that is none."""
    while report in rewrites:
        report = rewrites[report]
    return report


def _comparable(reports: Sequence[Row], rule: RewriteRule) -> Iterator[tuple[int, int]]:
    """Give the pairs of reports that may retell one another, the later one first."""
    for later, report in enumerate(reports):
        for earlier in range(min(later, rule.max_reports)):
            other = reports[earlier]
            gap = _gap_hours(report, other)
            # Nobody rewrites his own report a day later; a daily column repeats itself.
            own = report["source"] and report["source"] == other["source"]
            if not own and (gap is None or gap <= rule.max_gap_hours):
                yield later, earlier


def _gap_hours(left: Row, right: Row) -> float | None:
    if left["published_at"] is None or right["published_at"] is None:
        return None
    gap: datetime.timedelta = left["published_at"] - right["published_at"]
    return abs(gap.total_seconds()) / 3_600


def _read(
    reports: Sequence[tuple[int, int]],
    texts: Mapping[tuple[int, int], Sequence[str]],
    reader: Reader,
) -> dict[tuple[int, int], npt.NDArray[np.float32]]:
    """Embed the sentences of reports, all at once."""
    if not reports:
        return {}
    vectors = reader([sentence for report in reports for sentence in texts[report]])
    ends = np.cumsum([len(texts[report]) for report in reports])
    return dict(zip(reports, np.split(vectors, ends[:-1]), strict=True))
