"""Pair kernels: the compiled loops that fill the columns of the pair features.

Each walks the sorted lists of two articles side by side and writes the columns that
`pair_features` names; what a column means is said there.
"""

import numba
import numpy as np
import numpy.typing as npt

# Words below which a text is too short to be told from its headline.
BODY_WORDS = 25

# Least words that a containment is measured against.
CONTAINMENT_WORDS = 12


@numba.njit(cache=True, nogil=True)
def term_features(
    pairs: npt.NDArray[np.int32],
    terms: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    background_weights: npt.NDArray[np.float32],
    rare: npt.NDArray[np.float32],
    rare_sums: npt.NDArray[np.float64],
    densities: npt.NDArray[np.float32],
    features: npt.NDArray[np.float32],
) -> None:
    """Fill term_cosine, density_excess, density_sum and rare_term_share."""
    for pair in range(len(pairs)):
        i, j = pairs[pair]
        a, b = offsets[i], offsets[j]
        a_end, b_end = offsets[i + 1], offsets[j + 1]
        cosine = background = shared = 0.0
        while a < a_end and b < b_end:
            if terms[a] < terms[b]:
                a += 1
            elif terms[a] > terms[b]:
                b += 1
            else:
                cosine += weights[a] * weights[b]
                background += background_weights[a] * background_weights[b]
                shared += rare[terms[a]]
                a += 1
                b += 1
        features[pair, 0] = cosine
        features[pair, 1] = background - max(densities[i], densities[j])
        features[pair, 2] = densities[i] + densities[j]
        features[pair, 3] = shared / max(3.0, min(rare_sums[i], rare_sums[j]))


@numba.njit(cache=True, nogil=True)
def name_features(
    pairs: npt.NDArray[np.int32],
    names: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    rare: npt.NDArray[np.float32],
    rare_sums: npt.NDArray[np.float64],
    lead_names: npt.NDArray[np.int32],
    lead_offsets: npt.NDArray[np.int64],
    lead_weights: npt.NDArray[np.float32],
    features: npt.NDArray[np.float32],
) -> None:
    """Fill rare_name_share and lead_name_cosine."""
    for pair in range(len(pairs)):
        i, j = pairs[pair]
        a, b = offsets[i], offsets[j]
        a_end, b_end = offsets[i + 1], offsets[j + 1]
        shared = 0.0
        while a < a_end and b < b_end:
            if names[a] < names[b]:
                a += 1
            elif names[a] > names[b]:
                b += 1
            else:
                shared += rare[names[a]]
                a += 1
                b += 1
        features[pair, 4] = shared / max(3.0, min(rare_sums[i], rare_sums[j]))
        a, b = lead_offsets[i], lead_offsets[j]
        a_end, b_end = lead_offsets[i + 1], lead_offsets[j + 1]
        cosine = 0.0
        while a < a_end and b < b_end:
            if lead_names[a] < lead_names[b]:
                a += 1
            elif lead_names[a] > lead_names[b]:
                b += 1
            else:
                cosine += lead_weights[a] * lead_weights[b]
                a += 1
                b += 1
        features[pair, 5] = cosine


@numba.njit(cache=True, nogil=True)
def _found_share(
    lead: npt.NDArray[np.int32],
    a: int,
    a_end: int,
    terms: npt.NDArray[np.int32],
    b: int,
    b_end: int,
    idf: npt.NDArray[np.float32],
) -> float:
    found = total = 0.0
    for place in range(a, a_end):
        term = lead[place]
        total += idf[term]
        while b < b_end and terms[b] < term:
            b += 1
        if b < b_end and terms[b] == term:
            found += idf[term]
    return found / total if total > 0 else 0.0


@numba.njit(cache=True, nogil=True)
def lead_features(
    pairs: npt.NDArray[np.int32],
    terms: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    idf: npt.NDArray[np.float32],
    lead: npt.NDArray[np.int32],
    lead_offsets: npt.NDArray[np.int64],
    names: npt.NDArray[np.int32],
    name_offsets: npt.NDArray[np.int64],
    name_idf: npt.NDArray[np.float32],
    lead_names: npt.NDArray[np.int32],
    lead_name_offsets: npt.NDArray[np.int64],
    features: npt.NDArray[np.float32],
) -> None:
    """Fill lead_terms_found and lead_names_found."""
    for pair in range(len(pairs)):
        i, j = pairs[pair]
        one = _found_share(
            lead,
            lead_offsets[i],
            lead_offsets[i + 1],
            terms,
            offsets[j],
            offsets[j + 1],
            idf,
        )
        other = _found_share(
            lead,
            lead_offsets[j],
            lead_offsets[j + 1],
            terms,
            offsets[i],
            offsets[i + 1],
            idf,
        )
        features[pair, 6] = min(one, other)
        one = _found_share(
            lead_names,
            lead_name_offsets[i],
            lead_name_offsets[i + 1],
            names,
            name_offsets[j],
            name_offsets[j + 1],
            name_idf,
        )
        other = _found_share(
            lead_names,
            lead_name_offsets[j],
            lead_name_offsets[j + 1],
            names,
            name_offsets[i],
            name_offsets[i + 1],
            name_idf,
        )
        features[pair, 7] = max(one, other)


@numba.njit(cache=True, nogil=True)
def _shares_any(
    values: npt.NDArray[np.uint8], a: int, a_end: int, b: int, b_end: int
) -> bool:
    while a < a_end and b < b_end:
        if values[a] < values[b]:
            a += 1
        elif values[a] > values[b]:
            b += 1
        else:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def fact_features(
    pairs: npt.NDArray[np.int32],
    published: npt.NDArray[np.int64],
    dated: npt.NDArray[np.bool_],
    word_counts: npt.NDArray[np.int32],
    signatures: npt.NDArray[np.uint32],
    event_days: npt.NDArray[np.int32],
    event_offsets: npt.NDArray[np.int64],
    ages: npt.NDArray[np.uint8],
    age_offsets: npt.NDArray[np.int64],
    lead_ages: npt.NDArray[np.uint8],
    lead_age_offsets: npt.NDArray[np.int64],
    age_idf: npt.NDArray[np.float32],
    features: npt.NDArray[np.float32],
) -> None:
    """Fill the columns from containment on: what articles state beside their words."""
    year = np.log(366.0)
    num_perm = signatures.shape[1]
    for pair in range(len(pairs)):
        i, j = pairs[pair]
        # Containment follows from Jaccard and the two sizes; signatures of thin
        # articles are all zero and agree by accident.
        equal = 0
        blank = True
        for k in range(num_perm):
            if signatures[i, k] == signatures[j, k]:
                equal += 1
            if signatures[i, k] != 0:
                blank = False
        jaccard = 0.0 if blank else equal / num_perm
        one = max(CONTAINMENT_WORDS, word_counts[i])
        other = max(CONTAINMENT_WORDS, word_counts[j])
        shared = jaccard * (one + other) / (1 + jaccard)
        features[pair, 8] = min(1.0, shared / min(one, other))

        total_i = total_j = both = 0.0
        for place in range(age_offsets[i], age_offsets[i + 1]):
            total_i += max(np.float32(0.3), age_idf[ages[place]])
        for place in range(age_offsets[j], age_offsets[j + 1]):
            total_j += max(np.float32(0.3), age_idf[ages[place]])
            for own in range(age_offsets[i], age_offsets[i + 1]):
                if ages[own] == ages[place]:
                    both += max(np.float32(0.3), age_idf[ages[place]])
        features[pair, 9] = both / max(3.0, min(total_i, total_j))
        a, a_end = lead_age_offsets[i], lead_age_offsets[i + 1]
        b, b_end = lead_age_offsets[j], lead_age_offsets[j + 1]
        if a < a_end and b < b_end and not _shares_any(lead_ages, a, a_end, b, b_end):
            features[pair, 10] = 1

        if not (dated[i] and dated[j]):
            features[pair, 11] = 1
        nearest = -1
        for one_day in range(event_offsets[i], event_offsets[i + 1]):
            for other_day in range(event_offsets[j], event_offsets[j + 1]):
                gap = abs(event_days[one_day] - event_days[other_day])
                if nearest < 0 or gap < nearest:
                    nearest = gap
        if nearest >= 0:
            features[pair, 12] = np.log(1.0 + min(nearest, 365)) / year
            features[pair, 13] = nearest == 0
            features[pair, 14] = nearest > 3
        if dated[i] and dated[j]:
            days = abs(published[i] - published[j])
            features[pair, 15] = np.log(1.0 + min(days, 365)) / year
            features[pair, 16] = days <= 1
            features[pair, 17] = days > 3
        features[pair, 18] = min(word_counts[i], word_counts[j]) < BODY_WORDS
