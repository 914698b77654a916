"""How well two groupings of the same articles agree.

A. Bagga and B. Baldwin, "Entity-based cross-document coreferencing using the vector space
model", 1998.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Agreement:
    """B-cubed precision, recall and F1, each 0 to 1."""

    precision: float
    recall: float
    f1: float


def bcubed(gold: Sequence[str | None], predicted: Sequence[object]) -> Agreement:
    """Compare two groupings article by article.

    Precision asks of each article which share of its predicted group is of its gold
    story, recall which share of its gold story is in its predicted group. Articles whose
    gold story is None are left out of both.

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
    both = stories.astype(np.int64) << 32 | groups
    _, cells, overlaps = np.unique(both, return_inverse=True, return_counts=True)
    overlap = overlaps[cells]
    precision = float(np.mean(overlap / np.bincount(groups)[groups]))
    recall = float(np.mean(overlap / np.bincount(stories)[stories]))
    return Agreement(precision, recall, 2 * precision * recall / (precision + recall))
