"""Pair features: what two articles share, in numbers that a person can read.

Every number is the same for both orders of the pair and has a fixed meaning and range, so
that one set of weights serves every topic and every batch size. What is shared counts by
its rarity (`rarity`), and how alike strangers are on the same topic is one of the
numbers, because thirty shared words mean little between two articles on one president.

Time is seen twice. National news on one event appears within a day or two, so there the
gap between two publications says much; a killing is reported again at the arrest, the
trial and the sentence, so there the days on which the two texts place their event say
more. Both are given, and the fit weighs them.

What is lost: no word order, no roles (who shot whom), no place as a place.
"""

import dataclasses

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, list_column
from transforms.rarity import WeighedArticles

# What the first score weighs, in the order of the columns of `pair_features`.
PAIR_FEATURES = (
    # Cosine of all terms, 0 to 1.
    "term_cosine",
    # The same less the larger of the two articles' background densities, unscaled.
    "density_excess",
    # Sum of the two densities.
    "density_sum",
    # Rarity of shared terms that are rarer than RARE_IDF, against the poorer article's.
    "rare_term_share",
    # The same of names.
    "rare_name_share",
    # Cosine of the names in title and first sentences.
    "lead_name_cosine",
    # Share of the lead's rarity found in the other's whole text: the lesser direction.
    "lead_terms_found",
    # The same of names: the greater direction.
    "lead_names_found",
    # Share of the shorter text's runs of words in the longer, estimated from MinHash.
    "containment",
    # Rarity of shared ages of people, against the poorer article's.
    "shared_ages",
    # 1 if both leads name ages and none is shared.
    "ages_differ",
    # 1 if an article is not dated.
    "undated",
    # ln(1 + days) / ln 366 between the nearest days that the texts place events on.
    "event_gap",
    # 1 if the nearest of these days are equal.
    "same_event_day",
    # 1 if they are more than three days apart.
    "event_days_apart",
    # ln(1 + days) / ln 366 between the publications; 0 if one is not dated.
    "publication_gap",
    # 1 if published on the same day or the next.
    "published_together",
    # 1 if published more than three days apart.
    "published_apart",
    # 1 if the shorter text has fewer than 25 words.
    "no_body",
)

# And where both articles are embedded, the cosine of their vectors.
EMBEDDED_FEATURES = (*PAIR_FEATURES, "vector_cosine")

# A shared term with less idf than this is no rare one.
RARE_IDF = 5.5

# Words below which a text is too short to be told from its headline.
BODY_WORDS = 25

# Least words that a containment is measured against.
CONTAINMENT_WORDS = 12


@dataclasses.dataclass(frozen=True)
class Facts:
    """What scoring reads of n articles beside their terms."""

    published: npt.NDArray[np.int64]
    dated: npt.NDArray[np.bool_]
    word_counts: npt.NDArray[np.int32]
    signatures: npt.NDArray[np.uint32]
    event_days: npt.NDArray[np.int32]
    event_offsets: npt.NDArray[np.int64]
    ages: npt.NDArray[np.uint8]
    age_offsets: npt.NDArray[np.int64]
    lead_ages: npt.NDArray[np.uint8]
    lead_age_offsets: npt.NDArray[np.int64]
    # Shape (n, d): unit vectors, or zeros; None where nothing is embedded.
    vectors: npt.NDArray[np.floating] | None


def article_facts(fingerprints: pa.RecordBatch) -> Facts:
    """Read them from FINGERPRINT rows.

    The day of publication and the day before join the days that a text names: news
    mostly tells of today and yesterday without saying so.
    """
    day = fingerprints.column("day")
    dated = day.is_valid().to_numpy(zero_copy_only=False)
    published = day.fill_null(0).to_numpy().astype(np.int64)
    days, offsets = list_column(fingerprints, "event_days")
    rows = np.repeat(np.arange(len(dated)), np.diff(offsets))
    own_day = published[dated]
    own = np.flatnonzero(dated)
    codes = np.unique(
        np.concatenate([rows, own, own]) << 32
        | (np.concatenate([days, own_day, own_day - 1]) + 2**31)
    )
    event_offsets = np.searchsorted(codes >> 32, np.arange(len(dated) + 1))
    ages, age_offsets = list_column(fingerprints, "ages")
    lead_ages, lead_age_offsets = list_column(fingerprints, "lead_ages")
    return Facts(
        published,
        dated,
        column(fingerprints, "word_count"),
        column(fingerprints, "signature"),
        ((codes & 0xFFFFFFFF) - 2**31).astype(np.int32),
        event_offsets.astype(np.int64),
        ages,
        age_offsets,
        lead_ages,
        lead_age_offsets,
        article_vectors(fingerprints),
    )


def article_vectors(fingerprints: pa.RecordBatch) -> npt.NDArray[np.floating] | None:
    """Give the column of vectors, shape (n, d); None where there is none."""
    if "vector" not in fingerprints.schema.names:
        return None
    return column(fingerprints, "vector")


def pair_cosines(
    pairs: npt.NDArray[np.int32], vectors: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Give the cosine of each pair's vectors, and whether both have one.

    Args:
      pairs: shape (m, 2). Row numbers.
      vectors: shape (n, d). Unit vectors, or zeros for a row without one.
    """
    cosines = np.zeros(len(pairs), np.float32)
    for start in range(0, len(pairs), 65536):
        part = pairs[start : start + 65536]
        cosines[start : start + 65536] = np.einsum(
            "ij,ij->i",
            vectors[part[:, 0]].astype(np.float32),
            vectors[part[:, 1]].astype(np.float32),
        )
    embedded = np.any(vectors != 0, axis=1)
    return cosines, embedded[pairs[:, 0]] & embedded[pairs[:, 1]]


def pair_features(
    pairs: npt.NDArray[np.int32], articles: WeighedArticles, facts: Facts
) -> npt.NDArray[np.float32]:
    """Compute what the first score weighs.

    Args:
      pairs: shape (m, 2). Row numbers.
      articles: terms of n articles.
      facts: of the same articles.

    Returns:
      Array of shape (m, f), columns as EMBEDDED_FEATURES. The last is nan where one of
      the two is not embedded.
    """
    features = np.zeros((len(pairs), len(EMBEDDED_FEATURES)), np.float32)
    terms, names = articles.terms, articles.names
    rare_terms = np.maximum(articles.term_idf - np.float32(RARE_IDF), 0)
    rare_names = np.maximum(articles.name_idf - np.float32(RARE_IDF), 0)
    _term_features(
        pairs,
        terms.terms,
        terms.offsets,
        terms.weights,
        articles.background_terms.weights,
        rare_terms,
        _row_sums(rare_terms[terms.terms], terms.offsets),
        articles.densities,
        features,
    )
    _name_features(
        pairs,
        names.terms,
        names.offsets,
        rare_names,
        _row_sums(rare_names[names.terms], names.offsets),
        articles.lead_names.terms,
        articles.lead_names.offsets,
        articles.lead_names.weights,
        features,
    )
    _lead_features(
        pairs,
        terms.terms,
        terms.offsets,
        articles.term_idf,
        articles.lead_terms.terms,
        articles.lead_terms.offsets,
        names.terms,
        names.offsets,
        articles.name_idf,
        articles.lead_names.terms,
        articles.lead_names.offsets,
        features,
    )
    _fact_features(
        pairs,
        facts.published,
        facts.dated,
        facts.word_counts,
        facts.signatures,
        facts.event_days,
        facts.event_offsets,
        facts.ages,
        facts.age_offsets,
        facts.lead_ages,
        facts.lead_age_offsets,
        articles.age_idf,
        features,
    )
    features[:, -1] = np.nan
    if facts.vectors is not None:
        cosines, embedded = pair_cosines(pairs, facts.vectors)
        features[embedded, -1] = cosines[embedded]
    return features


def _row_sums(
    values: npt.NDArray[np.float32], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    sums = np.zeros(len(values) + 1, np.float64)
    np.cumsum(values, out=sums[1:], dtype=np.float64)
    return sums[offsets[1:]] - sums[offsets[:-1]]


@numba.njit(cache=True, nogil=True)
def _term_features(
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
def _name_features(
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
def _lead_features(
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
def _fact_features(
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
