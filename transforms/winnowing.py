"""Winnowing: a few keys per text, such that a long enough shared passage shares a key.

MinHash sees two texts as wholes: a brief inside a long report has a low Jaccard similarity
however exactly it is repeated, and no signature proposes the pair. Winnowing looks at
places instead. Hash every run of k words; of every `window` consecutive hashes keep the
smallest. Which hash a window keeps depends on the words in it alone, so:

* a passage of window + k - 1 words or more that two texts share gives them a common key,
  always (23 words at the default);
* no shared run shorter than k words can give one, up to hash collisions;
* a text of n words keeps about 2n / (window + 1) keys, a third more than any scheme
  with the same guarantee must.

S. Schleimer, D. Wilkerson and A. Aiken, "Winnowing: local algorithms for document
fingerprinting", SIGMOD 2003.
"""

import numba
import numpy as np
import numpy.typing as npt

from transforms.tokens import Tokens, distinct, shingle_hashes

PASSAGE_WORDS = 8
WINDOW = 16


def passage_keys(
    tokens: Tokens, *, k: int = PASSAGE_WORDS, window: int = WINDOW
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Choose the keys of each text.

    A text with fewer than `window` runs of words keeps the smallest of them; one shorter
    than k words is its own run; one without a word has no key.

    Args:
      tokens: of n texts.
      k: words a run.
      window: consecutive runs of which one at least is kept.

    Returns:
      keys: shape (s,), of all n texts; those of one text ascending and distinct.
      offsets: shape (n + 1,). Text i owns keys[offsets[i]:offsets[i + 1]].

    Raises:
      ValueError: if k or window is not positive.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1 run of words, got {window}")
    hashes, offsets = shingle_hashes(tokens, k)
    return distinct(*_window_minima(hashes, offsets, window))


@numba.njit(cache=True, nogil=True)
def _window_minima(
    hashes: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64], window: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    n = offsets.size - 1
    minima = np.empty(hashes.size, np.uint64)
    bounds = np.zeros(n + 1, np.int64)
    count = 0
    for i in range(n):
        first, stop = int(offsets[i]), int(offsets[i + 1])
        smallest = -1  # where the window's minimum stands, the rightmost of equals
        for last in range(first, stop):
            begin = last - window + 1
            if smallest < begin or smallest < first:
                # The minimum left the window: look at all of it again.
                kept = smallest
                smallest = max(begin, first)
                for place in range(smallest + 1, last + 1):
                    if hashes[place] <= hashes[smallest]:
                        smallest = place
                moved = smallest != kept
            else:
                moved = hashes[last] <= hashes[smallest]
                if moved:
                    smallest = last
            # A text shorter than a window is one window, complete at its end.
            ends = begin <= first and last == stop - 1
            if ends or begin == first or (begin > first and moved):
                minima[count] = hashes[smallest]
                count += 1
        bounds[i + 1] = count
    return minima[:count], bounds
