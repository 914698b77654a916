"""Templates: reports that share their phrases and not their facts tell different events.

A missing-person notice, a bond auction, the winning numbers of a lottery: each is last
week's text with this week's facts in the slots. Words and meaning say that two of them
are one event; only their numbers say otherwise. Copies are told from templates word by
word (see `alignment`); here the texts are gone, and what is left of each is the estimate
of how many three-word runs two articles share, and the numbers they name.

The rule errs on the side of the story: it takes short texts that name several numbers,
and on 2,512 pairs of labelled local crime news it parted five pairs of different events
and one of the same. That texts full of numbers need share fewer phrases, as the market
report of one day and of the next, is no pair of labelled news for or against.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, list_column
from transforms.minhash import jaccard_estimates


class TemplateRule(NamedTuple):
    """When two short texts are one template: the more phrases, the fewer numbers agree."""

    # Longer texts are no notices.
    max_words: int = 250
    # Numbers that each of the two names at least.
    min_numbers: int = 4
    # Share of the shorter text's three-word runs found in the longer, estimated, and the
    # share of the numbers of the one that names fewer, up to which they are strangers.
    min_containment: float = 0.25
    max_shared_numbers: float = 0.34
    # The same of texts that have half of their phrases in common.
    high_containment: float = 0.45
    max_shared_numbers_high: float = 0.5
    # The same of texts that name many numbers: of such two reports of one event share most.
    many_numbers: int = 8
    min_containment_many: float = 0.12
    max_shared_numbers_many: float = 0.2


def are_one_template(
    fingerprints: pa.RecordBatch, pairs: npt.NDArray[np.int32], rule: TemplateRule
) -> npt.NDArray[np.bool_]:
    """Tell which pairs of articles are one template with other facts.

    Args:
      fingerprints: FINGERPRINT rows.
      pairs: shape (p, 2). Rows of the two.
      rule: see there.

    Returns:
      Shape (p,).
    """
    found = np.zeros(len(pairs), np.bool_)
    words = column(fingerprints, "word_count").astype(np.float64)
    numbers, offsets = list_column(fingerprints, "numbers")
    left, right = pairs[:, 0], pairs[:, 1]
    counts = np.diff(offsets)
    thin = column(fingerprints, "thin")
    maybe = np.flatnonzero(
        (np.maximum(words[left], words[right]) <= rule.max_words)
        & (np.minimum(counts[left], counts[right]) >= rule.min_numbers)
        & ~(thin[left] | thin[right])
    )
    left, right = left[maybe], right[maybe]
    signatures = column(fingerprints, "signature")
    jaccard = jaccard_estimates(signatures[left], signatures[right])
    shared = jaccard * (words[left] + words[right]) / (1 + jaccard)
    containment = shared / np.minimum(words[left], words[right])
    common = _common(numbers, offsets, left, right)
    named = np.minimum(counts[left], counts[right])
    overlap = common / named
    steps = (
        (0, rule.min_containment, rule.max_shared_numbers),
        (0, rule.high_containment, rule.max_shared_numbers_high),
        (rule.many_numbers, rule.min_containment_many, rule.max_shared_numbers_many),
    )
    for least, alike, most in steps:
        found[maybe] |= (named >= least) & (containment >= alike) & (overlap <= most)
    return found


@numba.njit(cache=True, nogil=True)
def _common(
    values: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    left: npt.NDArray[np.int32],
    right: npt.NDArray[np.int32],
) -> npt.NDArray[np.int64]:
    """Count what two ascending lists have in common."""
    counts = np.zeros(len(left), np.int64)
    for pair in range(len(left)):
        i, j = offsets[left[pair]], offsets[right[pair]]
        while i < offsets[left[pair] + 1] and j < offsets[right[pair] + 1]:
            if values[i] == values[j]:
                counts[pair] += 1
                i += 1
                j += 1
            elif values[i] < values[j]:
                i += 1
            else:
                j += 1
    return counts
