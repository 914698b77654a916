"""Locality-sensitive hashing: signatures that agree on a band share a key.

A signature is cut into bands of a few rows; each band gives one key. Two articles whose
shingle sets have Jaccard similarity J agree on one row with probability J, on a band of r
rows with probability J^r, and on at least one of b bands with probability
1 - (1 - J^r)^b: an S-shaped curve, steep around (1 / b)^(1 / r). Pairs that share a key are
proposed, and only those are compared.

The curve is not a threshold. The bands usually chosen for "0.7" at 128 rows, 14 of 9,
propose a pair of Jaccard 0.7 with probability 0.44. A copy with one word in ten changed has
a Jaccard near 0.5 at three words a shingle, so the bands here are wide open, 42 of 3, which
proposes it with probability 0.996, and the comparison that follows carries the precision.

P. Indyk and R. Motwani, "Approximate nearest neighbors: towards removing the curse of
dimensionality", 1998; A. Broder, "Identifying and filtering near-duplicate documents",
2000.
"""

import numba
import numpy as np
import numpy.typing as npt

from transforms.tokens import mix64

BANDS = 42
ROWS = 3

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def band_keys(
    signatures: npt.NDArray[np.uint32], bands: int = BANDS, rows: int = ROWS
) -> npt.NDArray[np.uint64]:
    """Hash each band of each signature to a key.

    The number of the band is part of the key: equal rows of different bands are no
    agreement.

    Args:
      signatures: shape (n, num_perm).
      bands: bands per signature.
      rows: signature entries a band. Entries beyond bands * rows are not used.

    Returns:
      Shape (n, bands).

    Raises:
      ValueError: if the bands need more entries than a signature has.
    """
    num_perm = signatures.shape[1]
    if bands < 1 or rows < 1 or bands * rows > num_perm:
        raise ValueError(
            f"bands * rows must be between 1 and num_perm, got bands={bands}, rows={rows} "
            f"and num_perm={num_perm}"
        )
    return _band_keys(signatures, bands, rows)


def candidate_probability(jaccard: float, bands: int = BANDS, rows: int = ROWS) -> float:
    """Chance that a pair of the given Jaccard similarity shares at least one band.

    >>> round(candidate_probability(0.5), 3)
    0.996
    >>> round(candidate_probability(0.7, bands=14, rows=9), 3)
    0.438
    """
    return float(1 - (1 - jaccard**rows) ** bands)


@numba.njit(cache=True, nogil=True)
def _band_keys(
    signatures: npt.NDArray[np.uint32], bands: int, rows: int
) -> npt.NDArray[np.uint64]:
    n = signatures.shape[0]
    keys = np.empty((n, bands), np.uint64)
    for i in range(n):
        for band in range(bands):
            state = np.uint64(band)
            for row in range(band * rows, band * rows + rows):
                state = state * _MULTIPLIER + np.uint64(signatures[i, row])
            keys[i, band] = mix64(state)
    return keys
