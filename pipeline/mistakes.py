"""The mistakes behind a B-cubed score, one by one, the dearest first.

Articles of one gold story in one of our stories are a cell. Two cells of one of our
stories should have been apart: each of their articles loses some precision to the other
cell. Two cells of one gold story should have been together and lose recall. So a mistake
is a pair of cells, what it costs is counted in articles, and the costs of all mistakes
together are exactly what is missing from precision and recall.
"""

import dataclasses
import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.agreement import known_labels

MERGED, SPLIT = "merged", "split"

# Mistakes that are kept of a score; a story of everything makes hundreds of thousands.
MOST = 1000

_EVIDENCE = (
    "question",
    "accepted",
    "relation",
    "rule",
    "jaccard",
    "containment",
    "cosine",
    "story_score",
)
_TITLE_CHARACTERS = 120


@dataclasses.dataclass(frozen=True)
class Mistake:
    """Two cells that are together and should not be, or the other way round.

    Attributes:
      kind: MERGED or SPLIT.
      cost: what it takes from precision or recall, times the number of articles scored.
      left: rows of the one cell, ascending.
      right: rows of the other.
    """

    kind: str
    cost: float
    left: Sequence[int]
    right: Sequence[int]


def story_mistakes(
    gold: Sequence[str | None], predicted: Sequence[object], *, most: int = MOST
) -> list[Mistake]:
    """Give the mistakes that cost most, the dearest first.

    Args:
      gold: the gold story of each article; None: not scored.
      predicted: our story of each.
      most: how many to give.

    Raises:
      ValueError: as `pipeline.agreement.bcubed`.
    """
    stories, groups = known_labels(gold, predicted)
    known = [row for row, story in enumerate(gold) if story is not None]
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, story, group in zip(known, stories.tolist(), groups.tolist(), strict=True):
        cells[story, group].append(row)
    found = itertools.chain(_apart(cells, 1, MERGED), _apart(cells, 0, SPLIT))
    return heapq.nsmallest(
        most, found, key=lambda one: (-one.cost, one.left, one.right, one.kind)
    )


def _apart(
    cells: Mapping[tuple[int, int], list[int]], side: int, kind: str
) -> Iterator[Mistake]:
    """Pair the cells that share a gold story (side 0) or a story of ours (side 1)."""
    sharing: dict[int, list[list[int]]] = defaultdict(list)
    for label, rows in cells.items():
        sharing[label[side]].append(rows)
    for together in sharing.values():
        size = sum(map(len, together))
        for left, right in itertools.combinations(sorted(together), 2):
            yield Mistake(kind, 2 * len(left) * len(right) / size, left, right)


class Evidence:
    """What `matches/` says of a pair of articles, in either order."""

    def __init__(self, matches: Iterable[dict[str, Any]]) -> None:
        """Index the rows of `matches/`."""
        self.by_article: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for match in matches:
            self.by_article[match["article_id"]].append(match)
            self.by_article[match["matched_article_id"]].append(match)

    def between(
        self, left: Iterable[str], right: Iterable[str]
    ) -> tuple[str, str, dict[str, Any]] | None:
        """Give the closest pair that was compared, one article of each side; None if none.

        Returns:
          Id of the left article, of the right one, and the row.
        """
        ours, others = set(left), set(right)
        swapped = len(others) < len(ours)
        if swapped:
            ours, others = others, ours
        best: tuple[Any, ...] | None = None
        for one in ours:
            for match in self.by_article.get(one, ()):
                first = match["article_id"]
                other = match["matched_article_id"] if first == one else first
                if other in others:
                    ids = (other, one) if swapped else (one, other)
                    found = (*_closeness(match), *ids)
                    if best is None or found < best[0]:
                        best = (found, *ids, match)
        return None if best is None else (best[1], best[2], best[3])


def described_mistake(
    mistake: Mistake,
    ids: Sequence[str],
    stories: Sequence[str],
    found: Mapping[str, Mapping[str, Any]],
    evidence: Evidence,
) -> dict[str, Any]:
    """Describe a mistake by the two articles, one of each cell, that came closest.

    Args:
      mistake: its rows count in `ids` and `stories`.
      ids: of the articles scored.
      stories: the gold story of each.
      found: article -> its row of `articles/`.
      evidence: of the run.
    """
    left, right = ([ids[row] for row in rows] for rows in (mistake.left, mistake.right))
    closest = evidence.between(left, right)
    a, b = closest[:2] if closest else (left[0], right[0])
    gold = [stories[rows[0]] for rows in (mistake.left, mistake.right)]
    ours = [found[one]["story_id"] for one in (a, b)]
    return {
        "kind": mistake.kind,
        "cost": mistake.cost,
        "gold_stories": gold if mistake.kind == MERGED else gold[:1],
        "our_stories": ours[:1] if mistake.kind == MERGED else ours,
        "sizes": [len(left), len(right)],
        **two_articles(a, b, found, evidence),
    }


def two_articles(
    a: str, b: str, found: Mapping[str, Mapping[str, Any]], evidence: Evidence
) -> dict[str, Any]:
    """Describe two articles and what the run says of the pair; null if nothing."""
    closest = evidence.between([a], [b])
    return {
        "articles": [_described(one, found.get(one)) for one in (a, b)],
        "evidence": closest and {name: closest[2][name] for name in _EVIDENCE},
    }


def _described(article_id: str, row: Mapping[str, Any] | None) -> dict[str, str | None]:
    if row is None:
        return {"id": article_id, "title": "rejected", "day": None, "source": None}
    title = row["title"] or " ".join(row["text"].split())[:_TITLE_CHARACTERS]
    published = row["published_at"]
    return {
        "id": article_id,
        "title": title,
        "day": published and published.date().isoformat(),
        "source": row["source"],
    }


def _closeness(match: Mapping[str, Any]) -> tuple[bool, float, float, str]:
    """Order matches: accepted copies, then by story score, then by shared words."""
    return (
        not (match["question"] == "copy" and match["accepted"]),
        -(match["story_score"] or 0.0),
        -(match["containment"] or 0.0),
        match["question"],
    )
