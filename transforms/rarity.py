"""Rarity: how much a shared word says, against a fixed background of ordinary news.

Two articles that share "police" share nothing; two that share a victim's name share an
event. Inverse document frequency says so in numbers. The frequencies come from two
places: a fixed background of some thousand articles, so that a batch of five is judged
like a batch of fifty thousand, and the batch itself, which counts where it shows that a
word is commoner here than in the background, as "shooting" is among crime news.

The background has a second use. News about a topic that is always in the news (a
president, a war) is alike without telling the same event. The density of an article is
its mean cosine with its nearest background articles: how alike strangers are to it. A
pair has to be more alike than that, and because the background is fixed, one threshold
then holds for dense and for quiet topics. Density measured in the batch would not do: the
articles of a large story are each other's neighbours, and would count as a dense topic.

Where a language has no background, the batch alone gives the frequencies, shrunk towards
"rare" so that the first five articles do not make all their words common, and the density
is that of an ordinary article. Scores are then less sharp, mainly in small batches.

K. Sparck Jones, "A statistical interpretation of term specificity and its application in
retrieval", 1972. Local density as a correction: H. Jegou, H. Harzallah and C. Schmid,
"A contextual dissimilarity measure for accurate and efficient image search", 2007.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import list_column
from transforms.background import Background, background_densities
from transforms.term_vectors import (
    Frequencies,
    SparseVectors,
    count_articles,
    document_shares,
    inverse_document_frequencies,
    number_part,
    number_terms,
    sparse_vectors,
)


@dataclasses.dataclass(frozen=True)
class RaritySettings:
    """Numbers that the story weights were fitted with; stored beside them.

    Attributes:
      min_share: least share of articles that is told apart; see `document_shares`.
      prior_documents: articles that a batch's frequencies are thinned with.
      batch_weight: what they count against those of the background, 0 to 1.
      neighbours: background articles whose cosine makes the density.
      default_density: density where a language has no background, in [0, 1].
    """

    min_share: float = 1 / 3000
    prior_documents: int = 100
    batch_weight: float = 0.5
    neighbours: int = 20
    default_density: float = 0.1


@dataclasses.dataclass(frozen=True)
class WeighedArticles:
    """The terms of n articles with their weights: what blocking and scoring read.

    Attributes:
      vocabulary: shape (v,), uint64. The key of each numbered term, ascending.
      name_vocabulary: shape (w,), uint64. The same of names.
      terms: vectors of all terms, weighed by background and batch.
      background_terms: the same terms, weighed by the background alone.
      term_idf: shape (v,), float32, by background and batch.
      lead_terms: vectors of the lead's terms, numbered as in `terms`.
      names: vectors of names.
      lead_names: vectors of the lead's names, numbered as in `names`.
      name_idf: shape (w,), float32.
      densities: shape (n,), float32.
      age_idf: shape (256,), float32. By age in years.
    """

    vocabulary: npt.NDArray[np.uint64]
    name_vocabulary: npt.NDArray[np.uint64]
    terms: SparseVectors
    background_terms: SparseVectors
    term_idf: npt.NDArray[np.float32]
    lead_terms: SparseVectors
    names: SparseVectors
    lead_names: SparseVectors
    name_idf: npt.NDArray[np.float32]
    densities: npt.NDArray[np.float32]
    age_idf: npt.NDArray[np.float32]


def weigh_articles(
    fingerprints: pa.RecordBatch,
    background: Background,
    settings: RaritySettings,
    *,
    counts: npt.NDArray[np.floating] | None = None,
    before: WeighedArticles | None = None,
) -> WeighedArticles:
    """Weigh the terms, names and ages of a block of articles.

    Args:
      fingerprints: FINGERPRINT rows of one language, of representatives only: ten
        copies of one report would make its words common.
      background: of that language, or NO_BACKGROUND.
      settings: see there.
      counts: shape (n,). What each article counts in the batch's frequencies, 0 to 1;
        None: 1.
      before: the same articles as they were weighed with other counts, of which what
        does not depend on these is kept; the columns of KEYS are not read then.

    Raises:
      ValueError: if a lead holds what its article does not.
    """
    if counts is None:
        counts = np.ones(fingerprints.num_rows)
    documents = float(counts.sum())

    def idf(
        vocabulary: npt.NDArray[np.uint64],
        numbers: npt.NDArray[np.int32],
        offsets: npt.NDArray[np.int64],
        known: Frequencies,
    ) -> npt.NDArray[np.float32]:
        shares = document_shares(
            vocabulary,
            count_articles(numbers, offsets, counts, len(vocabulary)),
            documents,
            known,
            prior_documents=settings.prior_documents,
            batch_weight=settings.batch_weight,
            min_share=settings.min_share,
        )
        return inverse_document_frequencies(shares)

    def weigh(
        kind: str, found: _Numbered, idf: npt.NDArray[np.float32]
    ) -> tuple[SparseVectors, SparseVectors]:
        """Give the vectors of all terms, or names, and of those of the lead."""
        term_counts, offsets = list_column(fingerprints, f"{kind}_counts")
        lead_counts, lead_offsets = list_column(fingerprints, f"lead_{kind}_counts")
        return (
            sparse_vectors(found.numbers, term_counts, offsets, idf),
            sparse_vectors(found.lead_numbers, lead_counts, lead_offsets, idf),
        )

    if before is None:
        terms, names = _number(fingerprints, "terms"), _number(fingerprints, "names")
    else:
        terms = _Numbered(before.vocabulary, before.terms.terms, before.lead_terms.terms)
        names = _Numbered(
            before.name_vocabulary, before.names.terms, before.lead_names.terms
        )
    offsets = list_column(fingerprints, "term_counts")[1]
    term_idf = idf(terms.vocabulary, terms.numbers, offsets, background.terms)
    all_terms, lead_terms = weigh("term", terms, term_idf)
    name_offsets = list_column(fingerprints, "name_counts")[1]
    name_idf = idf(names.vocabulary, names.numbers, name_offsets, background.names)
    all_names, lead_names = weigh("name", names, name_idf)
    ages, age_offsets = list_column(fingerprints, "ages")

    if not background.documents:
        background_terms = all_terms
        densities = np.full(len(counts), settings.default_density, np.float32)
    elif before is not None:
        background_terms, densities = before.background_terms, before.densities
    else:
        still = document_shares(
            terms.vocabulary,
            np.zeros(len(terms.vocabulary), np.int64),
            0,
            background.terms,
            prior_documents=0,
            batch_weight=0.0,
            min_share=settings.min_share,
        )
        background_terms, _ = weigh("term", terms, inverse_document_frequencies(still))
        densities = background_densities(
            background_terms, terms.vocabulary, background, neighbours=settings.neighbours
        )

    return WeighedArticles(
        vocabulary=terms.vocabulary,
        name_vocabulary=names.vocabulary,
        terms=all_terms,
        background_terms=background_terms,
        term_idf=term_idf,
        lead_terms=lead_terms,
        names=all_names,
        lead_names=lead_names,
        name_idf=name_idf,
        densities=densities,
        age_idf=idf(
            np.arange(256, dtype=np.uint64),
            ages.astype(np.int32),
            age_offsets,
            background.ages,
        ),
    )


# Columns that are numbered once: most of a fingerprint.
KEYS = ("terms", "lead_terms", "names", "lead_names")


class _Numbered(NamedTuple):
    """Terms, or names, by number: all of n articles, and those of their leads."""

    vocabulary: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int32]
    lead_numbers: npt.NDArray[np.int32]


def _number(fingerprints: pa.RecordBatch, name: str) -> _Numbered:
    keys, offsets = list_column(fingerprints, name)
    vocabulary, numbers = number_terms(keys)
    lead_numbers = number_part(
        keys, offsets, numbers, *list_column(fingerprints, f"lead_{name}")
    )
    if len(lead_numbers) and lead_numbers.min() < 0:
        raise ValueError(f"lead_{name} must all be among the article's own, got others")
    return _Numbered(vocabulary, numbers, lead_numbers)
