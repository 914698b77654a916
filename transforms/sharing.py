"""Sharing: which articles of the past share a key with new ones, and so may be copies.

A run that adds compares no two old articles, and most of these have nothing in common with
any new one. Those that share no key with one are nobody's candidates, nor do they count
among the holders of a key by which it is told whether the key is hot. So they are left out
where they are read, and what goes on to `candidates` are some few.

Keys are looked up by their low bits, so that some articles pass that share none: that
costs time, not truth.
"""

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import list_column
from transforms.candidates import key_blocks

# Low bits of a key that are looked at, in 2 MB: of a hundred thousand new keys one old
# key in 160 is taken for one of them.
_BITS = 24


def keys_of(
    fingerprints: pa.RecordBatch, *, bands: int, rows: int
) -> npt.NDArray[np.uint32]:
    """Give the distinct keys by which copies of some articles are found, ascending.

    Args:
      fingerprints: schema FINGERPRINT, at least the columns that keys are made of.
      bands: bands of a signature.
      rows: signature entries a band.
    """
    found = [
        list_column(block, "keys")[0]
        for _, block in key_blocks(fingerprints, bands=bands, rows=rows, shards=1)
    ]
    return np.unique(np.concatenate([np.zeros(0, np.uint32), *found]))


def sharing_keys(
    fingerprints: pa.RecordBatch, keys: npt.NDArray[np.uint32], *, bands: int, rows: int
) -> pa.RecordBatch:
    """Give the articles that share a key with new ones, and perhaps some more.

    Args:
      fingerprints: schema FINGERPRINT, at least the columns that keys are made of.
      keys: shape (k,). Of new articles, as of `keys_of`.
      bands: bands of a signature.
      rows: signature entries a band.
    """
    kept = [pa.array([], pa.uint64())]
    for _, block in key_blocks(fingerprints, bands=bands, rows=rows, shards=1):
        shares = _share(*list_column(block, "keys"), keys)
        kept.append(block.column("article_key").filter(pa.array(shares)))
    chosen = pc.is_in(fingerprints.column("article_key"), pa.concat_arrays(kept))
    return fingerprints.filter(chosen)


@numba.njit(cache=True, nogil=True)
def _share(
    own: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint32],
) -> npt.NDArray[np.bool_]:
    """Say of each article whether one of its keys has the low bits of one of `keys`."""
    mask = np.uint32((1 << _BITS) - 1)
    bits = np.zeros(1 << (_BITS - 3), np.uint8)
    for key in keys:
        low = key & mask
        bits[low >> np.uint32(3)] |= np.uint8(1 << (low & np.uint32(7)))
    shares = np.zeros(len(offsets) - 1, np.bool_)
    for article in range(len(shares)):
        for place in range(offsets[article], offsets[article + 1]):
            low = own[place] & mask
            if bits[low >> np.uint32(3)] >> (low & np.uint32(7)) & np.uint8(1):
                shares[article] = True
                break
    return shares
