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
def row_sums(
    terms: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
) -> npt.NDArray[np.float64]:
    """Add up the values of each article's terms."""
    sums = np.zeros(len(offsets) - 1, np.float64)
    for article in range(len(sums)):
        for term in terms[offsets[article] : offsets[article + 1]]:
            sums[article] += values[term]
    return sums


@numba.njit(cache=True, nogil=True)
def _most(offsets: npt.NDArray[np.int64]) -> int:
    """Terms of the article that has most."""
    most = 0
    for article in range(len(offsets) - 1):
        most = max(most, offsets[article + 1] - offsets[article])
    return most


@numba.njit(cache=True, nogil=True)
def _open(
    slots: npt.NDArray[np.int32],
    terms: npt.NDArray[np.int32],
    lead: npt.NDArray[np.int32],
    idf: npt.NDArray[np.float32],
    rare: npt.NDArray[np.float32],
    own: npt.NDArray[np.float32],
) -> None:
    """Lay out an article: the slot of each of its terms, and what is needed of it there.

    Slots are numbered from 1; slot 0 stands for all terms that it does not have.

    Args:
      slots: shape (v,). Written.
      terms: of the article.
      lead: of its lead.
      idf: shape (v,).
      rare: shape (v,).
      own: shape (slots, 3). Written: idf, rare, and idf if the term is in the lead.
    """
    for place in range(len(terms)):
        term = terms[place]
        slots[term] = place + 1
        own[place + 1, 0] = idf[term]
        own[place + 1, 1] = rare[term]
        own[place + 1, 2] = 0
    for term in lead:
        own[slots[term], 2] = idf[term]


# Terms are looked for in a small table first, by the low bits of their numbers: it fits
# the nearest cache, and few have the low bits of another.
_SIEVE_BITS = 8191


@numba.njit(cache=True, nogil=True)
def _match(
    sieve: npt.NDArray[np.uint8],
    slots: npt.NDArray[np.int32],
    terms: npt.NDArray[np.int32],
    here: npt.NDArray[np.int32],
    there: npt.NDArray[np.int32],
) -> int:
    """Find the terms of another article that have a slot: their slots and places."""
    likely = 0
    for place in range(len(terms)):
        # Written each time and kept if it is likely: a branch costs more.
        there[likely] = place
        likely += sieve[terms[place] & _SIEVE_BITS]
    count = 0
    for place in there[:likely]:
        slot = slots[terms[place]]
        here[count] = slot
        there[count] = place
        count += slot > 0
    return count


@numba.njit(cache=True, nogil=True)
def term_features(
    pairs: npt.NDArray[np.int32],
    order: npt.NDArray[np.int64],
    terms: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    idf: npt.NDArray[np.float32],
    rare: npt.NDArray[np.float32],
    rare_sums: npt.NDArray[np.float64],
    lead: npt.NDArray[np.int32],
    lead_offsets: npt.NDArray[np.int64],
    lead_sums: npt.NDArray[np.float64],
    densities: npt.NDArray[np.float32],
    features: npt.NDArray[np.float32],
) -> None:
    """Fill term_cosine, density_excess, density_sum, rare_term_share, lead_terms_found.

    Pairs are taken in an `order` in which those of one first article stand together, so
    that its terms are laid out once. `weights` has shape (s, 2): of block and background.
    """
    slots = np.zeros(len(idf), np.int32)
    sieve = np.zeros(_SIEVE_BITS + 1, np.uint8)
    most = _most(offsets)
    own = np.zeros((most + 1, 3), np.float32)
    here, there = np.empty(most + 1, np.int32), np.empty(most + 1, np.int32)
    opened = -1
    for pair in order:
        i, j = pairs[pair]
        first, last = offsets[i], offsets[i + 1]
        if i != opened:
            if opened >= 0:
                for term in terms[offsets[opened] : offsets[opened + 1]]:
                    slots[term] = 0
                    sieve[term & _SIEVE_BITS] = 0
            for term in terms[first:last]:
                sieve[term & _SIEVE_BITS] = 1
            own_lead = lead[lead_offsets[i] : lead_offsets[i + 1]]
            _open(slots, terms[first:last], own_lead, idf, rare, own)
            opened = i
        one = weights[first:last]
        first, last = offsets[j], offsets[j + 1]
        two = weights[first:last]
        cosine = background = shared = found = 0.0
        for match in range(_match(sieve, slots, terms[first:last], here, there)):
            slot, place = here[match], there[match]
            cosine += one[slot - 1, 0] * two[place, 0]
            background += one[slot - 1, 1] * two[place, 1]
            shared += own[slot, 1]
            found += own[slot, 2]
        other_found = 0.0
        for term in lead[lead_offsets[j] : lead_offsets[j + 1]]:
            other_found += own[slots[term], 0]
        features[pair, 0] = cosine
        features[pair, 1] = background - max(densities[i], densities[j])
        features[pair, 2] = densities[i] + densities[j]
        features[pair, 3] = shared / max(3.0, min(rare_sums[i], rare_sums[j]))
        features[pair, 6] = min(
            _share(found, lead_sums[i]), _share(other_found, lead_sums[j])
        )


@numba.njit(cache=True, nogil=True)
def _share(found: float, total: float) -> float:
    return found / total if total > 0 else 0.0


@numba.njit(cache=True, nogil=True)
def name_features(
    pairs: npt.NDArray[np.int32],
    names: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    idf: npt.NDArray[np.float32],
    rare: npt.NDArray[np.float32],
    rare_sums: npt.NDArray[np.float64],
    lead: npt.NDArray[np.int32],
    lead_offsets: npt.NDArray[np.int64],
    lead_weights: npt.NDArray[np.float32],
    lead_sums: npt.NDArray[np.float64],
    features: npt.NDArray[np.float32],
) -> None:
    """Fill rare_name_share, lead_name_cosine and lead_names_found."""
    slots = np.zeros(len(idf), np.int32)
    most = _most(offsets)
    own = np.zeros((most + 1, 3), np.float32)
    own_weights = np.zeros(most + 1, np.float32)
    opened = -1
    for pair in range(len(pairs)):
        i, j = pairs[pair]
        if i != opened:
            if opened >= 0:
                slots[names[offsets[opened] : offsets[opened + 1]]] = 0
            own_names = names[offsets[i] : offsets[i + 1]]
            own_lead = lead[lead_offsets[i] : lead_offsets[i + 1]]
            _open(slots, own_names, own_lead, idf, rare, own)
            own_weights[: len(own_names) + 1] = 0
            for place in range(lead_offsets[i], lead_offsets[i + 1]):
                own_weights[slots[lead[place]]] = lead_weights[place]
            opened = i
        shared = found = 0.0
        for name in names[offsets[j] : offsets[j + 1]]:
            slot = slots[name]
            shared += own[slot, 1]
            found += own[slot, 2]
        other_found = cosine = 0.0
        for place in range(lead_offsets[j], lead_offsets[j + 1]):
            slot = slots[lead[place]]
            other_found += own[slot, 0]
            cosine += own_weights[slot] * lead_weights[place]
        features[pair, 4] = shared / max(3.0, min(rare_sums[i], rare_sums[j]))
        features[pair, 5] = cosine
        features[pair, 7] = max(
            _share(found, lead_sums[i]), _share(other_found, lead_sums[j])
        )


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
    signed: npt.NDArray[np.bool_],
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
        # Containment follows from Jaccard and the two sizes.
        jaccard = 0.0
        if signed[i] and signed[j]:
            equal = 0
            for k in range(num_perm):
                equal += signatures[i, k] == signatures[j, k]
            jaccard = equal / num_perm
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
        one_day, other_day = event_offsets[i], event_offsets[j]
        while one_day < event_offsets[i + 1] and other_day < event_offsets[j + 1]:
            gap = event_days[one_day] - event_days[other_day]
            if nearest < 0 or abs(gap) < nearest:
                nearest = abs(gap)
            if gap < 0:
                one_day += 1
            else:
                other_day += 1
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
