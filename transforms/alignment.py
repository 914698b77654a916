"""Alignment: two texts word against word, and what stands in the gaps.

A longest common subsequence tells two things that sets of word runs do not. In a copy
whose words were changed evenly, one in eight, few runs of three are left whole, and yet
nearly all words stand in the same order. And in two notices of one template the gaps are
slots: a number faces another number, a name another name.

D. Hirschberg, "Algorithms for the longest common subsequence problem", 1977.
"""

import numba
import numpy as np
import numpy.typing as npt

OTHER, NUMBER, CAPITALISED = range(3)

# A gap between aligned words that is longer is another text, not another fact.
_SLOT_WORDS = 8


@numba.njit(cache=True, nogil=True)
def aligned_words(left: npt.NDArray[np.uint64], right: npt.NDArray[np.uint64]) -> int:
    """Measure the longest common subsequence of two texts, in tokens.

    Args:
      left: token hashes of one text, in order.
      right: those of the other. Time goes with the product of the lengths.
    """
    lengths = np.zeros(right.size + 1, np.int64)
    for i in range(left.size):
        before = np.int64(0)
        for j in range(right.size):
            above = lengths[j + 1]
            if left[i] == right[j]:
                lengths[j + 1] = before + 1
            else:
                lengths[j + 1] = max(above, lengths[j])
            before = above
    return int(lengths[-1])


@numba.njit(cache=True, nogil=True)
def differing_slots(
    left: npt.NDArray[np.uint64],
    right: npt.NDArray[np.uint64],
    left_kinds: npt.NDArray[np.uint8],
    right_kinds: npt.NDArray[np.uint8],
) -> tuple[int, int, int]:
    """Align two texts on a longest common subsequence, and look at the gaps.

    Args:
      left: token hashes of one text, in order, shape (n,).
      right: those of the other, shape (m,).
      left_kinds: shape (n,). OTHER, NUMBER or CAPITALISED, of each token.
      right_kinds: shape (m,). The same of the other text.

    Returns:
      slots: facts that differ: in each filled gap the numbers that face numbers, or one.
      filled: short gaps where a number faces a number, or a name a name.
      gaps: all gaps.
    """
    n, m = left.size, right.size
    longest = np.zeros((n + 1, m + 1), np.int32)
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            if left[i] == right[j]:
                longest[i, j] = longest[i + 1, j + 1] + 1
            else:
                longest[i, j] = max(longest[i + 1, j], longest[i, j + 1])
    slots = filled = gaps = 0
    i = j = 0
    while i < n or j < m:
        if i < n and j < m and left[i] == right[j]:
            i += 1
            j += 1
            continue
        begins = i, j
        counts = np.zeros((2, 3), np.int64)
        while i < n or j < m:
            if i < n and j < m and left[i] == right[j]:
                # Two lists of numbers may hold one in common: it ends no gap.
                last = i + 1 == n or j + 1 == m
                if left_kinds[i] != NUMBER or last or left[i + 1] == right[j + 1]:
                    break
                i += 1
                j += 1
            elif j >= m or (i < n and longest[i + 1, j] >= longest[i, j + 1]):
                counts[0, left_kinds[i]] += 1
                i += 1
            else:
                counts[1, right_kinds[j]] += 1
                j += 1
        gaps += 1
        numbers = min(counts[0, NUMBER], counts[1, NUMBER])
        names = min(counts[0, CAPITALISED], counts[1, CAPITALISED])
        short = max(i - begins[0], j - begins[1]) <= _SLOT_WORDS
        if short and (numbers or names):
            filled += 1
            slots += max(1, numbers)
    return slots, filled, gaps
