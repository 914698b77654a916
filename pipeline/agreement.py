"""How well two groupings of the same articles agree.

Three measures, because each is blind to something. B-cubed asks article by article, so a
story counts as much as it has members. Pairwise scores ask pair by pair, so one story of a
hundred counts as much as five thousand of two. The adjusted Rand index is 0 for groups
drawn at random and 1 for equal ones, and counts pairs, too.

A. Bagga and B. Baldwin, "Entity-based cross-document coreferencing using the vector space
model", 1998. L. Hubert and P. Arabie, "Comparing partitions", 1985.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import adjusted_rand_score


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Precision, recall and F1, each 0 to 1."""

    precision: float
    recall: float
    f1: float


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How many groups there are, how many of several articles, how large the largest."""

    groups: int
    of_several: int
    largest: int


def bcubed(gold: Sequence[str | None], predicted: Sequence[object]) -> Agreement:
    """Compare two groupings article by article.

    Precision asks of each article which share of its predicted group is of its gold
    story, recall which share of its gold story is in its predicted group. Articles whose
    gold story is None are left out of both.

    Raises:
      ValueError: if the two differ in length or no article has a gold story.
    """
    stories, groups = known_labels(gold, predicted)
    both = stories << 32 | groups
    _, cells, overlaps = np.unique(both, return_inverse=True, return_counts=True)
    overlap = overlaps[cells]
    precision = float(np.mean(overlap / np.bincount(groups)[groups]))
    recall = float(np.mean(overlap / np.bincount(stories)[stories]))
    return Agreement(precision, recall, 2 * precision * recall / (precision + recall))


def pairwise(gold: Sequence[str | None], predicted: Sequence[object]) -> Agreement:
    """Compare two groupings pair by pair of articles.

    Precision asks which share of the pairs that are together in the prediction are of
    one gold story, recall which share of the pairs of one gold story are together. Where
    no pair is together nothing is wrong: the share is 1.

    Raises:
      ValueError: as `bcubed`.
    """
    stories, groups = known_labels(gold, predicted)
    right = _pairs_together(stories << 32 | groups)
    found, wanted = _pairs_together(groups), _pairs_together(stories)
    precision = right / found if found else 1.0
    recall = right / wanted if wanted else 1.0
    total = precision + recall
    return Agreement(precision, recall, 2 * precision * recall / total if total else 0.0)


def adjusted_rand(gold: Sequence[str | None], predicted: Sequence[object]) -> float:
    """Give the adjusted Rand index: 1 for equal groupings, about 0 for random ones.

    Raises:
      ValueError: as `bcubed`.
    """
    return float(adjusted_rand_score(*known_labels(gold, predicted)))


def group_sizes(gold: Sequence[str | None], groups: Sequence[object]) -> Sizes:
    """Count groups, of the articles that have a gold story alone.

    Args:
      gold: the gold stories.
      groups: of the same articles; the gold stories themselves to count those.

    Raises:
      ValueError: as `bcubed`.
    """
    _, labels = known_labels(gold, groups)
    sizes = np.bincount(labels)
    return Sizes(len(sizes), int((sizes > 1).sum()), int(sizes.max()))


def known_labels(
    gold: Sequence[str | None], predicted: Sequence[object]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the gold stories and the groups of the articles that have a gold story.

    Returns:
      stories, groups: shape (n,) each, of the n articles whose gold story is not None,
      in their order; numbers from 0 without gaps.

    Raises:
      ValueError: if the two differ in length or no article has a gold story.
    """
    if len(gold) != len(predicted):
        raise ValueError(
            f"gold and predicted must have equal lengths, got {len(gold)} and "
            f"{len(predicted)}"
        )
    known = [row for row, story in enumerate(gold) if story is not None]
    if not known:
        raise ValueError("at least one article must have a gold story, got none")
    _, stories = np.unique([str(gold[row]) for row in known], return_inverse=True)
    _, groups = np.unique([str(predicted[row]) for row in known], return_inverse=True)
    return stories.astype(np.int64), groups.astype(np.int64)


def _pairs_together(labels: npt.NDArray[np.int64]) -> int:
    _, sizes = np.unique(labels, return_counts=True)
    return int((sizes * (sizes - 1) // 2).sum())
