import datasketch
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.minhash import (
    SCHEME,
    check_comparable,
    jaccard_estimates,
    minhash_signatures,
    signature_metadata,
)

NUM_PERM = 128

shingle_sets = st.sets(st.integers(0, 2**32 - 1), min_size=1, max_size=50)


def sketch(*sets, num_perm=NUM_PERM, seed=1):
    shingles = np.array([shingle for values in sets for shingle in values], np.uint32)
    offsets = np.cumsum([0, *map(len, sets)])
    return minhash_signatures(shingles, offsets, num_perm=num_perm, seed=seed)


def datasketch_of(values, num_perm=NUM_PERM, seed=1):
    sketched = datasketch.MinHash(num_perm, seed=seed, hashfunc=int, scheme=SCHEME)
    for value in values:
        sketched.update(value)
    return sketched


@given(shingle_sets, shingle_sets, st.integers(0, 2**32 - 1))
def test_signatures_are_bit_for_bit_those_of_datasketch(a, b, seed):
    left, right = sketch(a, b, num_perm=16, seed=seed)
    np.testing.assert_array_equal(left, datasketch_of(a, 16, seed).hashvalues)
    np.testing.assert_array_equal(right, datasketch_of(b, 16, seed).hashvalues)


def test_a_stored_row_opens_in_datasketch():
    signatures = sketch(set(range(100)), set(range(50, 150)))
    left, right = (
        datasketch.MinHash(hashvalues=row, scheme="affine32") for row in signatures
    )
    (estimate,) = jaccard_estimates(signatures[:1], signatures[1:])
    assert left.jaccard(right) == estimate
    assert left.jaccard(datasketch_of(range(100))) == 1


@given(shingle_sets, shingle_sets)
def test_signature_of_union_is_minimum(a, b):
    left, right, union = sketch(a, b, a | b)
    np.testing.assert_array_equal(union, np.minimum(left, right))


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_repeats_and_order_change_nothing(shingles):
    ordered, repeated = sketch(sorted(set(shingles)), shingles[::-1] + shingles)
    np.testing.assert_array_equal(ordered, repeated)


@pytest.mark.parametrize("jaccard", [0.1, 0.5, 0.9])
def test_estimate_is_within_four_standard_errors(jaccard):
    common = round(2_000 * jaccard / (1 + jaccard))
    left, right = sketch(range(1_000), range(1_000 - common, 2_000 - common))
    true = common / (2_000 - common)
    (estimate,) = jaccard_estimates(left[None], right[None])
    assert abs(estimate - true) < 4 * np.sqrt(true * (1 - true) / NUM_PERM)


def test_signature_is_stable_across_releases():
    """Stored signatures must stay comparable: a change here is a format change."""
    (signature,) = sketch({1, 2, 3}, num_perm=4)
    assert signature.tolist() == [63217260, 131247162, 308645290, 1412089388]


def test_an_article_without_a_shingle_has_no_signature():
    with pytest.raises(ValueError, match="got none for 1 of 2, the first at row 1"):
        sketch({1}, set())


def test_signatures_of_two_sizes_do_not_compare():
    with pytest.raises(ValueError, match=r"equal shapes, got \(1, 4\) and \(1, 8\)"):
        jaccard_estimates(sketch({1}, num_perm=4), sketch({1}, num_perm=8))


def test_equal_metadata_compares_among_other_metadata():
    made = signature_metadata(num_perm=128, seed=1, shingle_size=3)
    check_comparable(made, {**made, b"schema": b"newsdedup.index"})
    assert made[b"minhash.scheme"] == b"affine32"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (signature_metadata(num_perm=128, seed=2, shingle_size=3), "seed 1 and 2"),
        (signature_metadata(num_perm=64, seed=1, shingle_size=3), "num_perm 128 and 64"),
        ({b"schema": b"newsdedup.index"}, "scheme affine32 and nothing"),
        (None, "scheme affine32 and nothing"),
    ],
)
def test_signatures_made_in_different_ways_are_not_mixed(other, message):
    made = signature_metadata(num_perm=128, seed=1, shingle_size=3)
    with pytest.raises(ValueError, match=message):
        check_comparable(made, other)
    with pytest.raises(ValueError, match="made alike"):
        check_comparable(other, made)
    with pytest.raises(ValueError, match="made alike"):
        check_comparable(other and None, None)
