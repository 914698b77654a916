import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.lsh import BANDS, ROWS, band_keys, candidate_probability


def signatures(*rows):
    return np.array(rows, np.uint32)


def test_equal_bands_and_only_they_share_a_key():
    left, right = band_keys(signatures([1, 2, 3, 4], [1, 2, 3, 5]), bands=2, rows=2)
    assert (left == right).tolist() == [True, False]


def test_equal_rows_of_different_bands_share_no_key():
    ((first, second),) = band_keys(signatures([1, 2, 1, 2]), bands=2, rows=2)
    assert first != second


def test_keys_are_stable_across_releases():
    (keys,) = band_keys(signatures([1, 2, 3, 4]), bands=2, rows=2)
    assert keys.tolist() == [17939916851854735301, 6145830990237795969]


@pytest.mark.parametrize(("bands", "rows"), [(0, 3), (3, 0), (3, 2)])
def test_bands_must_fit_the_signature(bands, rows):
    with pytest.raises(ValueError, match=f"got bands={bands}, rows={rows} and num_perm=4"):
        band_keys(signatures([1, 2, 3, 4]), bands, rows)


@given(st.integers(1, 60), st.integers(1, 12))
def test_curve_rises_from_nothing_to_certainty(bands, rows):
    curve = [candidate_probability(step / 10, bands, rows) for step in range(11)]
    assert curve == sorted(curve)
    assert (curve[0], curve[-1]) == (0, 1)


@pytest.mark.parametrize("jaccard", [0.2, 0.4])
def test_pairs_are_proposed_as_often_as_the_curve_says(jaccard):
    rng = np.random.default_rng(0)
    pairs = 2_000
    left = rng.integers(2**32, size=(pairs, 128), dtype=np.uint32)
    other = rng.integers(2**32, size=(pairs, 128), dtype=np.uint32)
    right = np.where(rng.random((pairs, 128)) < jaccard, left, other)
    proposed = (band_keys(left) == band_keys(right)).any(axis=1).mean()
    expected = candidate_probability(jaccard, BANDS, ROWS)
    assert abs(proposed - expected) < 4 * np.sqrt(expected * (1 - expected) / pairs)
