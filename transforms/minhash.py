"""MinHash: a fixed-size signature whose agreement estimates Jaccard similarity.

An article's signature keeps, for each of `num_perm` random permutations, the smallest
hash of its shingles. Two articles agree on a given entry about as often as their
shingle sets overlap, so the fraction of equal entries estimates their Jaccard
similarity J with standard error sqrt(J * (1 - J) / num_perm): at most 0.044 for 128.

The permutations are those of datasketch 2.0's scheme "affine32": the hash is mixed once,
then each permutation is a * h + b modulo 2^32 with odd a, a bijection. That this behaves
like truly random permutations is measured by datasketch, not proven.

A. Broder, "On the resemblance and containment of documents", 1997.
"""

import functools
from collections.abc import Mapping

import datasketch
import numba
import numpy as np
import numpy.typing as npt

from transforms.tokens import TOKEN_HASH_VERSION

# How the hashes are permuted; signatures of two schemes have nothing in common.
SCHEME = "affine32"
# Words a shingle. Three are rare enough to tell texts apart, and short enough that one
# changed word in twenty leaves most of them whole.
SHINGLE_SIZE = 3
SEED = 1


def minhash_signatures(
    shingles: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    *,
    num_perm: int,
    seed: int,
) -> npt.NDArray[np.uint32]:
    """Compute one signature per article.

    Equal, bit for bit, to datasketch's MinHash(scheme="affine32") fed the same hashes,
    so `datasketch.MinHash(hashvalues=row, scheme="affine32")` reads a stored signature.

    Args:
      shingles: shape (s,). Shingle hashes of all n articles, one after the other; a repeat
        changes nothing.
      offsets: shape (n + 1,). Article i owns shingles[offsets[i]:offsets[i + 1]].
      num_perm: permutations, that is hash values per signature.
      seed: chooses the permutations. Only signatures with equal seeds compare.

    Returns:
      Array of shape (n, num_perm). Row i is the signature of article i.

    Raises:
      ValueError: if an article has no shingle. Every empty set has the same signature,
        so unrelated empty articles would cluster together.
    """
    (empty,) = np.nonzero(np.diff(offsets) < 1)
    if empty.size:
        raise ValueError(
            f"every article must have a shingle, got none for {empty.size} of "
            f"{offsets.size - 1}, the first at row {empty[0]}"
        )
    return _smallest(shingles, offsets, *_permutations(num_perm, seed))


@functools.cache
def _permutations(
    num_perm: int, seed: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Give the multipliers and the increments of the permutations."""
    multipliers, increments = datasketch.MinHash(
        num_perm=num_perm, seed=seed, scheme=SCHEME
    ).permutations
    return multipliers, increments


def jaccard_estimates(
    left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32]
) -> npt.NDArray[np.float64]:
    """Estimate the Jaccard similarity of pairs of signatures, row by row.

    Args:
      left: shape (n, num_perm).
      right: shape (n, num_perm).

    Returns:
      Shape (n,), multiples of 1 / num_perm from 0 to 1.

    Raises:
      ValueError: if the shapes differ.
    """
    if left.shape != right.shape:
        raise ValueError(
            f"signatures must have equal shapes, got {left.shape} and {right.shape}"
        )
    return np.count_nonzero(left == right, axis=1) / left.shape[1]


def signature_metadata(
    *, num_perm: int, seed: int, shingle_size: int
) -> dict[bytes, bytes]:
    """Say how signatures were made, to be stored with them in a Parquet schema."""
    return {
        b"minhash.scheme": SCHEME.encode(),
        b"minhash.num_perm": b"%d" % num_perm,
        b"minhash.seed": b"%d" % seed,
        b"minhash.shingle_size": b"%d" % shingle_size,
        b"minhash.token_hash_version": b"%d" % TOKEN_HASH_VERSION,
    }


def check_comparable(
    left: Mapping[bytes, bytes] | None, right: Mapping[bytes, bytes] | None
) -> None:
    """Refuse to mix signatures that were made in different ways.

    A signature carries no trace of how it was made: compared with one of another scheme,
    seed or tokeniser it gives a number, and the number means nothing.

    Args:
      left: schema metadata that holds, among others, `signature_metadata`.
      right: the same of the other signatures.

    Raises:
      ValueError: if they differ, or if either does not say.
    """
    for name in signature_metadata(num_perm=0, seed=0, shingle_size=0):
        values = [(metadata or {}).get(name) for metadata in (left, right)]
        said = [value.decode() if value is not None else "nothing" for value in values]
        if None in values or values[0] != values[1]:
            raise ValueError(
                f"signatures must be made alike to be compared, got {name.decode()} "
                f"{said[0]} and {said[1]}: fingerprint the articles of one side again"
            )


@numba.njit(cache=True, nogil=True)
def _smallest(
    shingles: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    multipliers: npt.NDArray[np.uint32],
    increments: npt.NDArray[np.uint32],
) -> npt.NDArray[np.uint32]:
    """Permute and take minima, one permutation after the other.

    With the permutation outside, an article's mixed hashes stay in the first-level cache
    and the inner loop is one that compilers turn into vector instructions: twice as fast as
    with the shingles outside.
    """
    n = offsets.size - 1
    signatures = np.empty((n, multipliers.size), np.uint32)
    longest = 0
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    mixed = np.empty(longest, np.uint32)
    for i in range(n):
        count = offsets[i + 1] - offsets[i]
        for k in range(count):
            # The compiler widens to 64 bits; each cast takes the product modulo 2^32.
            value = shingles[offsets[i] + k]
            value = np.uint32((value ^ (value >> np.uint32(16))) * np.uint32(0x85EBCA6B))
            value = np.uint32((value ^ (value >> np.uint32(13))) * np.uint32(0xC2B2AE35))
            mixed[k] = np.uint32(value ^ (value >> np.uint32(16)))
        for permutation in range(multipliers.size):
            multiplier = multipliers[permutation]
            increment = increments[permutation]
            smallest = np.uint32(0xFFFFFFFF)
            for k in range(count):
                value = np.uint32(mixed[k] * multiplier + increment)
                smallest = min(smallest, value)
            signatures[i, permutation] = smallest
    return signatures
