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
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, list_column
from transforms.pair_kernels import (
    fact_features,
    name_features,
    row_sums,
    term_features,
)
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


@dataclasses.dataclass(frozen=True)
class Facts:
    """What scoring reads of n articles beside their terms."""

    published: npt.NDArray[np.int64]
    dated: npt.NDArray[np.bool_]
    word_counts: npt.NDArray[np.int32]
    signatures: npt.NDArray[np.uint32]
    # Whether the signature is one: of a thin article it is all zero, and such agree by
    # accident.
    signed: npt.NDArray[np.bool_]
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
    # A text that is not that of its title says nothing of the event.
    thin = column(fingerprints, "thin")
    signatures = column(fingerprints, "signature")
    ages, age_offsets = list_column(fingerprints, "ages")
    lead_ages, lead_age_offsets = list_column(fingerprints, "lead_ages")
    return Facts(
        published,
        dated,
        column(fingerprints, "word_count"),
        signatures,
        ~thin & signatures.any(axis=1),
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


class _Read(NamedTuple):
    """What the kernels read of terms and names, the same for all pairs."""

    # Shape (s, 2): weights of terms by block and background, side by side.
    weights: npt.NDArray[np.float32]
    rare_terms: npt.NDArray[np.float32]
    rare_term_sums: npt.NDArray[np.float64]
    lead_term_sums: npt.NDArray[np.float64]
    rare_names: npt.NDArray[np.float32]
    rare_name_sums: npt.NDArray[np.float64]
    lead_name_sums: npt.NDArray[np.float64]


def _read(articles: WeighedArticles) -> _Read:
    terms, names = articles.terms, articles.names
    leads, lead_names = articles.lead_terms, articles.lead_names
    rare_terms = np.maximum(articles.term_idf - np.float32(RARE_IDF), 0)
    rare_names = np.maximum(articles.name_idf - np.float32(RARE_IDF), 0)
    return _Read(
        np.stack([terms.weights, articles.background_terms.weights], axis=1),
        rare_terms,
        row_sums(terms.terms, terms.offsets, rare_terms),
        row_sums(leads.terms, leads.offsets, articles.term_idf),
        rare_names,
        row_sums(names.terms, names.offsets, rare_names),
        row_sums(lead_names.terms, lead_names.offsets, articles.name_idf),
    )


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
    return np.concatenate(
        [np.zeros((0, len(EMBEDDED_FEATURES)), np.float32)]
        + [features for _, features in parts_of_features(pairs, articles, facts)]
    )


# Pairs whose features are in memory at a time.
_PAIRS = 1 << 17


def parts_of_features(
    pairs: npt.NDArray[np.int32], articles: WeighedArticles, facts: Facts
) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Give the rows of `pair_features`, and which they are, part by part."""
    read = _read(articles)
    for start in range(0, len(pairs), _PAIRS):
        part = slice(start, min(start + _PAIRS, len(pairs)))
        yield part, _features(pairs[part], articles, facts, read)


def _features(
    pairs: npt.NDArray[np.int32], articles: WeighedArticles, facts: Facts, read: _Read
) -> npt.NDArray[np.float32]:
    features = np.zeros((len(pairs), len(EMBEDDED_FEATURES)), np.float32)
    terms, names = articles.terms, articles.names
    leads, lead_names = articles.lead_terms, articles.lead_names
    term_features(
        pairs,
        _tiled(pairs, facts.published),
        terms.terms,
        terms.offsets,
        read.weights,
        articles.term_idf,
        read.rare_terms,
        read.rare_term_sums,
        leads.terms,
        leads.offsets,
        read.lead_term_sums,
        articles.densities,
        features,
    )
    name_features(
        pairs,
        names.terms,
        names.offsets,
        articles.name_idf,
        read.rare_names,
        read.rare_name_sums,
        lead_names.terms,
        lead_names.offsets,
        lead_names.weights,
        read.lead_name_sums,
        features,
    )
    fact_features(
        pairs,
        facts.published,
        facts.dated,
        facts.word_counts,
        facts.signatures,
        facts.signed,
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


# Articles whose terms fit a cache.
_TILE = 4096


def _tiled(
    pairs: npt.NDArray[np.int32], published: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Order pairs by the time of the second article, in steps of so many articles.

    The terms of these are then read from a cache. As pairs are near in time, the first
    article has to be laid out anew for a few steps only.
    """
    tiles = np.empty(len(published), np.uint16)
    tiles[np.argsort(published, kind="stable")] = np.arange(len(published)) // _TILE
    return np.argsort(tiles[pairs[:, 1]], kind="stable")
