"""Block terms: the terms of a block of articles, numbered and put in order in one go.

A block comes in parts, as they lie on disk, and most of it are the keys of terms, eight
bytes each. They are numbered part by part, so that of all parts together only the numbers
are ever in memory, half as large. Where few articles of a block are asked about, most of
the others are met by none of these, and what costs much of an article (its density, the
features of its pairs) is asked of those that are.
"""

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, list_array, list_column, with_column
from transforms.background import Background, background_densities
from transforms.rarity import KEYS, RaritySettings, WeighedArticles, weigh_articles
from transforms.term_vectors import (
    SparseVectors,
    document_shares,
    find_terms,
    inverse_document_frequencies,
    number_part,
    number_terms,
    sparse_vectors,
)

# Columns that are laid out beside the numbers of their terms.
_COUNTS = ("term_counts", "lead_term_counts", "name_counts", "lead_name_counts")
_NO_WEIGHTS = np.zeros(0, np.float32)


def numbered_block(
    parts: Sequence[pa.RecordBatch],
) -> tuple[pa.RecordBatch, WeighedArticles]:
    """Put the articles of a block in order, and number their terms and names.

    Args:
      parts: FINGERPRINT rows, of any columns but `article_key`, those of KEYS and their
        counts; all parts of the same ones. At least one part.

    Returns:
      The rows in ascending order of article_key, without the columns of KEYS; and their
      terms, which nothing weighs yet: what `weigh_articles` takes for `before`.

    Raises:
      ValueError: if a lead holds what its article does not.
    """
    keys = np.concatenate([column(part, "article_key") for part in parts])
    order = np.argsort(keys, kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    starts = np.cumsum([0, *(part.num_rows for part in parts)])
    places = [
        ranks[start : start + part.num_rows]
        for start, part in zip(starts[:-1], parts, strict=True)
    ]
    plain = [
        name for name in parts[0].schema.names if name not in KEYS and name not in _COUNTS
    ]
    # Whether a column may hold nulls is no matter here.
    schema = parts[0].select(plain).schema
    table = pa.Table.from_batches([part.select(plain).cast(schema) for part in parts])
    (rows,) = table.take(pa.array(order)).combine_chunks().to_batches() or [
        pa.RecordBatch.from_pylist([], schema=table.schema)
    ]
    for name in _COUNTS:
        counts = [list_column(part, name) for part in parts]
        rows = rows.append_column(name, list_array(*_in_order(counts, places)))
    terms, lead_terms = _numbered(parts, places, "terms")
    names, lead_names = _numbered(parts, places, "names")
    return rows, WeighedArticles(
        vocabulary=terms[0],
        name_vocabulary=names[0],
        terms=terms[1],
        background_terms=terms[1],
        term_idf=_NO_WEIGHTS,
        lead_terms=lead_terms,
        names=names[1],
        lead_names=lead_names,
        name_idf=_NO_WEIGHTS,
        densities=_NO_WEIGHTS,
        age_idf=_NO_WEIGHTS,
    )


def _numbered(
    parts: Sequence[pa.RecordBatch], places: Sequence[npt.NDArray[np.int64]], name: str
) -> tuple[tuple[npt.NDArray[np.uint64], SparseVectors], SparseVectors]:
    """Number terms, or names: their keys and all of them, and those of leads."""
    vocabularies, found, leads = [], [], []
    for part in parts:
        keys, offsets = list_column(part, name)
        vocabulary, numbers = number_terms(keys)
        lead_keys, lead_offsets = list_column(part, f"lead_{name}")
        lead = number_part(keys, offsets, numbers, lead_keys, lead_offsets)
        if len(lead) and lead.min() < 0:
            raise ValueError(f"lead_{name} must all be among the article's own, got others")
        vocabularies.append(vocabulary)
        found.append((numbers, offsets))
        leads.append((lead, lead_offsets))
    vocabulary = np.unique(np.concatenate(vocabularies))
    known = [find_terms(vocabulary, own) for own in vocabularies]
    all_terms, of_leads = (
        SparseVectors(*_in_order(lists, places, known), _NO_WEIGHTS, len(vocabulary))
        for lists in (found, leads)
    )
    return (vocabulary, all_terms), of_leads


def _in_order(
    lists: Sequence[tuple[npt.NDArray[np.integer], npt.NDArray[np.int64]]],
    places: Sequence[npt.NDArray[np.int64]],
    numbers: Sequence[npt.NDArray[np.int32]] | None = None,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Lay the lists of several parts out in the order of their rows.

    Args:
      lists: of each part the values and offsets.
      places: of each part the row that each of its rows is in the end.
      numbers: of each part what its values stand for; None: for themselves.

    Returns:
      Values and offsets of all rows.
    """
    lengths = np.zeros(sum(map(len, places)), np.int64)
    for (_, offsets), rows in zip(lists, places, strict=True):
        lengths[rows] = np.diff(offsets)
    all_offsets = np.concatenate([[0], np.cumsum(lengths)])
    kind = lists[0][0].dtype if numbers is None else np.dtype(np.int32)
    values = np.empty(all_offsets[-1], kind)
    for part, ((own, offsets), rows) in enumerate(zip(lists, places, strict=True)):
        if numbers is None:
            _place(own, offsets, rows, all_offsets, values)
        else:
            _place_numbers(own, offsets, numbers[part], rows, all_offsets, values)
    return values, all_offsets


@numba.njit(cache=True, nogil=True)
def _place(
    own: npt.NDArray[np.integer],
    offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    all_offsets: npt.NDArray[np.int64],
    values: npt.NDArray[np.integer],
) -> None:
    for row in range(len(rows)):
        target = all_offsets[rows[row]]
        for place in range(offsets[row], offsets[row + 1]):
            values[target] = own[place]
            target += 1


@numba.njit(cache=True, nogil=True)
def _place_numbers(
    own: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    all_offsets: npt.NDArray[np.int64],
    values: npt.NDArray[np.int32],
) -> None:
    for row in range(len(rows)):
        target = all_offsets[rows[row]]
        for place in range(offsets[row], offsets[row + 1]):
            values[target] = numbers[own[place]]
            target += 1


def _among(vectors: SparseVectors, rows: npt.NDArray[np.int64]) -> SparseVectors:
    """Give the vectors of some articles."""
    if len(rows) == len(vectors.offsets) - 1:
        return vectors
    offsets = np.concatenate([[0], np.cumsum(np.diff(vectors.offsets)[rows])])
    terms = np.empty(offsets[-1], np.int32)
    weights = np.empty(offsets[-1], np.float32)
    _copy(vectors.terms, vectors.weights, vectors.offsets, rows, offsets, terms, weights)
    return SparseVectors(terms, offsets, weights, vectors.size)


@numba.njit(cache=True, nogil=True)
def _copy(
    terms: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.integer],
    new_offsets: npt.NDArray[np.int64],
    new_terms: npt.NDArray[np.int32],
    new_weights: npt.NDArray[np.float32],
) -> None:
    for row in range(len(rows)):
        start = offsets[rows[row]]
        for place in range(new_offsets[row], new_offsets[row + 1]):
            new_terms[place] = terms[start + place - new_offsets[row]]
            new_weights[place] = weights[start + place - new_offsets[row]]


class Block:
    """A block of articles, of which some are looked at closely.

    What the background says of an article is worked out when it is asked for.

    Attributes:
      fingerprints: n rows in ascending order of article_key, without the columns of KEYS.
      weighed: their terms, of which nothing is said against a background, if there is one.
    """

    def __init__(
        self,
        fingerprints: pa.RecordBatch,
        numbered: WeighedArticles,
        background: Background,
        settings: RaritySettings,
    ) -> None:
        """Weigh the articles, each counting one.

        Args:
          fingerprints: see there.
          numbered: as of `numbered_block`.
          background: as of `weigh_articles`.
          settings: as of `weigh_articles`.
        """
        self.fingerprints = fingerprints
        self.weighed = weigh_articles(fingerprints, background, settings, before=numbered)
        self._background = background
        self._settings = settings
        self._densities = np.full(fingerprints.num_rows, np.nan, np.float32)

    def with_vectors(self, vectors: npt.NDArray[np.float16]) -> "Block":
        """Give the block with other vectors, shape (n, d), weighed as it is."""
        other = copy.copy(self)
        other.fingerprints = with_column(self.fingerprints, "vector", vectors)
        return other

    def articles(self, rows: npt.NDArray[np.int64]) -> WeighedArticles:
        """Give the articles of some rows, ascending, weighed as they are in the block."""
        chosen = _articles_among(self.weighed, rows)
        if not self._background.documents:
            return chosen
        counts, offsets = list_column(self.rows(rows), "term_counts")
        shares = document_shares(
            chosen.vocabulary,
            np.zeros(len(chosen.vocabulary), np.int64),
            0,
            self._background.terms,
            prior_documents=0,
            batch_weight=0.0,
            min_share=self._settings.min_share,
        )
        idf = inverse_document_frequencies(shares)
        terms = sparse_vectors(chosen.terms.terms, counts, offsets, idf)
        unknown = np.flatnonzero(np.isnan(self._densities[rows]))
        self._densities[rows[unknown]] = background_densities(
            _among(terms, unknown),
            chosen.vocabulary,
            self._background,
            neighbours=self._settings.neighbours,
        )
        return dataclasses.replace(
            chosen, background_terms=terms, densities=self._densities[rows]
        )

    def weighed_again(
        self,
        rows: npt.NDArray[np.int64],
        articles: WeighedArticles,
        counts: npt.NDArray[np.floating],
    ) -> WeighedArticles:
        """Give the articles of some rows as they weigh if they count something else.

        Args:
          rows: shape (k,), ascending.
          articles: what `articles` gave for them.
          counts: shape (k,). What each counts; all others count 1.
        """
        of_all = np.ones(self.fingerprints.num_rows)
        of_all[rows] = counts
        weighed = weigh_articles(
            self.fingerprints,
            self._background,
            self._settings,
            counts=of_all,
            before=self.weighed,
        )
        chosen = _articles_among(weighed, rows)
        if not self._background.documents:
            return chosen
        return dataclasses.replace(
            chosen,
            background_terms=articles.background_terms,
            densities=articles.densities,
        )

    def rows(self, rows: npt.NDArray[np.int64]) -> pa.RecordBatch:
        """Give the fingerprints of some rows, ascending."""
        if len(rows) == self.fingerprints.num_rows:
            return self.fingerprints
        return self.fingerprints.take(pa.array(rows))


def _articles_among(
    articles: WeighedArticles, rows: npt.NDArray[np.int64]
) -> WeighedArticles:
    """Give some articles; against a background all terms are as in the block."""
    if len(rows) == len(articles.terms.offsets) - 1:
        return articles
    terms = _among(articles.terms, rows)
    return dataclasses.replace(
        articles,
        terms=terms,
        lead_terms=_among(articles.lead_terms, rows),
        names=_among(articles.names, rows),
        lead_names=_among(articles.lead_names, rows),
        background_terms=terms,
        densities=articles.densities[rows] if len(articles.densities) else _NO_WEIGHTS,
    )
