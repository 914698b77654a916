"""Background: a fixed sample of ordinary news that everything is measured against.

It gives how common a term is in news at large, and the density of an article: its mean
cosine with the nearest background articles, which is how alike strangers are to it.

A background of fourteen thousand articles is stored in 2.4 MB: terms in fewer than four
of them are left out, for they are as rare as can be told, and of each article's vector
the 64 heaviest terms are kept, in steps of 1 / 255. Cosines with it are a little low, for
all articles alike; the weights of the story model are fitted to that.
"""

import dataclasses
import functools
import pathlib

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.batch import column, list_array, list_column
from transforms import storage
from transforms.term_vectors import (
    NO_FREQUENCIES,
    Frequencies,
    SparseVectors,
    count_documents,
    document_shares,
    find_terms,
    heaviest_terms,
    inverse_document_frequencies,
    number_terms,
    sparse_vectors,
)

# One row a term of the background, with the background articles that hold it.
BACKGROUND = pa.schema(
    [
        # "term", "name" or "age": which column of the fingerprint it was counted in.
        pa.field("kind", pa.string(), nullable=False),
        pa.field("key", pa.uint64(), nullable=False),
        # Background articles that hold the term.
        pa.field("document_count", pa.int32(), nullable=False),
        # Background articles, by number, in whose vector the term is; ascending.
        pa.field("documents", pa.list_(pa.uint16()), nullable=False),
        # Its weight in each of these unit vectors, in units of 1 / 255.
        pa.field("weights", pa.list_(pa.uint8()), nullable=False),
    ],
    metadata={"schema": "newsdedup.background", "version": "1"},
)

KINDS = ("term", "name", "age")


@dataclasses.dataclass(frozen=True)
class Background:
    """The fixed background of one language.

    Attributes:
      terms, names, ages: frequencies by kind.
      offsets: shape (v + 1,), int64, v the terms. Term t owns postings
        offsets[t]:offsets[t + 1].
      postings: shape (p,), int32. Numbers of the articles that hold the term.
      weights: shape (p,), float32. The term's weight in that article's unit vector.
      documents: articles.
    """

    terms: Frequencies
    names: Frequencies
    ages: Frequencies
    offsets: npt.NDArray[np.int64]
    postings: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    documents: int

    @functools.cached_property
    def vectors(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The postings by article: where each one's begin, and their places.

        Returns:
          offsets: shape (documents + 1,). Article i owns places[offsets[i]:offsets[i + 1]].
          places: shape (p,). Places of its postings, of ascending terms.
        """
        offsets = np.zeros(self.documents + 1, np.int64)
        np.cumsum(np.bincount(self.postings, minlength=self.documents), out=offsets[1:])
        return offsets, np.argsort(self.postings, kind="stable")


NO_BACKGROUND = Background(
    NO_FREQUENCIES,
    NO_FREQUENCIES,
    NO_FREQUENCIES,
    np.zeros(1, np.int64),
    np.zeros(0, np.int32),
    np.zeros(0, np.float32),
    0,
)


def background_densities(
    vectors: SparseVectors,
    vocabulary: npt.NDArray[np.uint64],
    background: Background,
    *,
    neighbours: int,
) -> npt.NDArray[np.float32]:
    """Measure how alike each article is to its nearest background articles.

    Args:
      vectors: of n articles, weighed by the background's frequencies alone.
      vocabulary: shape (v,). Keys of the terms of `vectors`.
      background: must not be empty.
      neighbours: nearest background articles whose cosine is averaged.

    Returns:
      Array of shape (n,), each in [0, 1]. The cosines are of vectors cut to their
      heaviest terms on the background's side, so a little low.

    Raises:
      ValueError: if the background holds fewer articles than `neighbours`.
    """
    if background.documents < neighbours:
        raise ValueError(
            f"background must hold at least neighbours={neighbours} articles, "
            f"got {background.documents}"
        )
    offsets, places = background.vectors
    posting_terms = np.repeat(
        np.arange(len(background.terms.keys), dtype=np.int32), np.diff(background.offsets)
    )
    return _densities(
        find_terms(background.terms.keys, vocabulary),
        vectors.terms,
        vectors.offsets,
        vectors.weights,
        background.offsets,
        background.postings.astype(np.uint16),
        np.round(background.weights * 255).astype(np.uint8),
        offsets,
        posting_terms[places],
        background.weights[places],
        neighbours,
    )


# Steps of a cosine in the first look; the sum of a vector's has to fit 16 bits.
_STEPS = 40_000
# Background articles that are looked at together.
_TOGETHER = 64


@numba.njit(cache=True, nogil=True)
def _densities(
    numbers: npt.NDArray[np.int32],
    terms: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    posting_offsets: npt.NDArray[np.int64],
    postings: npt.NDArray[np.uint16],
    posting_steps: npt.NDArray[np.uint8],
    vector_offsets: npt.NDArray[np.int64],
    vector_terms: npt.NDArray[np.int32],
    vector_weights: npt.NDArray[np.float32],
    neighbours: int,
) -> npt.NDArray[np.float32]:
    """Look over all background articles in whole numbers, at the nearest exactly.

    Cosines in 16 bits fit the nearest cache. Each term adds one too much or too little
    at most, so that the nearest are among those that are not much below the last of
    what seems nearest.
    """
    documents = len(vector_offsets) - 1
    longest = 0
    for document in range(documents):
        longest = max(longest, vector_offsets[document + 1] - vector_offsets[document])
    groups = (documents + _TOGETHER - 1) // _TOGETHER
    sums = np.zeros(groups * _TOGETHER, np.uint16)
    highest = np.zeros(groups, np.int64)
    own = np.zeros(len(posting_offsets), np.float32)
    seeming = np.zeros(neighbours, np.int64)
    largest = np.zeros(neighbours, np.float32)
    densities = np.zeros(len(offsets) - 1, np.float32)
    for article in range(len(offsets) - 1):
        sums[:] = 0
        for place in range(offsets[article], offsets[article + 1]):
            number = numbers[terms[place]]
            if number < 0:
                continue
            own[number] = weights[place]
            scaled = np.uint32(weights[place] * np.float32(_STEPS))
            first, last = posting_offsets[number], posting_offsets[number + 1]
            holders, steps = postings[first:last], posting_steps[first:last]
            for posting in range(last - first):
                product = (scaled * steps[posting]) >> np.uint32(8)
                sums[holders[posting]] = np.uint16(sums[holders[posting]] + product + 1)
        # The largest so far, ascending. Those of groups leave few groups to look into.
        seeming[:] = 0
        for group in range(groups):
            top = np.uint16(0)
            for cosine in sums[group * _TOGETHER : (group + 1) * _TOGETHER]:
                top = max(top, cosine)
            highest[group] = top
            if highest[group] > seeming[0]:
                _insert(seeming, highest[group])
        least = seeming[0]
        seeming[:] = 0
        for group in range(groups):
            if highest[group] < least:
                continue
            for cosine in sums[group * _TOGETHER : (group + 1) * _TOGETHER]:
                if cosine > seeming[0]:
                    _insert(seeming, np.int64(cosine))
        least = max(1, seeming[0] - 2 * longest)
        largest[:] = 0
        for group in range(groups):
            if highest[group] < least:
                continue
            for document in range(group * _TOGETHER, (group + 1) * _TOGETHER):
                if sums[document] < least:
                    continue
                first, last = vector_offsets[document], vector_offsets[document + 1]
                cosine = np.float32(0)
                for place in range(first, last):
                    cosine += own[vector_terms[place]] * vector_weights[place]
                if cosine > largest[0]:
                    _insert(largest, cosine)
        for place in range(offsets[article], offsets[article + 1]):
            own[numbers[terms[place]]] = 0
        total = 0.0
        for rank in range(neighbours):
            total += largest[rank]
        densities[article] = min(1.0, total / neighbours)
    return densities


@numba.njit(cache=True, nogil=True)
def _insert(ascending: npt.NDArray[np.number], value: float) -> None:
    """Put a value in its place and drop the smallest, which is below it."""
    place = 1
    while place < len(ascending) and ascending[place] < value:
        ascending[place - 1] = ascending[place]
        place += 1
    ascending[place - 1] = value


def make_background(
    fingerprints: pa.RecordBatch,
    *,
    min_documents: int,
    vector_terms: int,
    min_share: float,
) -> Background:
    """Count a background and weigh its articles.

    Args:
      fingerprints: FINGERPRINT rows of one language, at most 65,535.
      min_documents: terms in fewer articles are as rare as can be told, and left out.
      vector_terms: heaviest terms kept of each article's vector.
      min_share: floor of a term's share; see `document_shares`.

    Raises:
      ValueError: if there are no or more than 65,535 articles.
    """
    documents = fingerprints.num_rows
    if not 0 < documents < 2**16:
        raise ValueError(f"a background must hold 1 to 65535 articles, got {documents}")
    values, offsets = list_column(fingerprints, "terms")
    counts, _ = list_column(fingerprints, "term_counts")
    names, _ = list_column(fingerprints, "names")
    ages, _ = list_column(fingerprints, "ages")
    frequencies = count_documents(values, documents=documents, min_documents=min_documents)
    vocabulary, numbers = number_terms(values)
    shares = document_shares(
        vocabulary,
        np.zeros(len(vocabulary), np.int64),
        0,
        frequencies,
        prior_documents=0,
        batch_weight=0.0,
        min_share=min_share,
    )
    vectors = sparse_vectors(numbers, counts, offsets, inverse_document_frequencies(shares))
    known = find_terms(frequencies.keys, vocabulary)[vectors.terms]
    weights = np.where(known >= 0, vectors.weights, np.float32(0))
    kept = np.flatnonzero(heaviest_terms(offsets, weights, vector_terms))
    articles = np.repeat(np.arange(documents, dtype=np.int32), np.diff(offsets))[kept]
    order = kept[np.argsort(known[kept], kind="stable")]
    posting_offsets = np.zeros(len(frequencies.keys) + 1, np.int64)
    np.cumsum(
        np.bincount(known[kept], minlength=len(frequencies.keys)),
        out=posting_offsets[1:],
    )
    articles = articles[np.argsort(known[kept], kind="stable")]
    # Rounded as they are stored, so that a background made now and one read later agree.
    steps = np.maximum(np.round(vectors.weights[order] * 255), 1)
    return Background(
        frequencies,
        count_documents(names, documents=documents, min_documents=min_documents),
        count_documents(ages, documents=documents, min_documents=1),
        posting_offsets,
        articles,
        (steps / 255).astype(np.float32),
        documents,
    )


def write_background(background: Background, path: pathlib.Path) -> None:
    """Store a background as Parquet, equal bytes for an equal background."""
    frequencies = (background.terms, background.names, background.ages)
    rest = sum(len(one.keys) for one in frequencies[1:])
    offsets = np.concatenate(
        [background.offsets, np.full(rest, background.offsets[-1], np.int64)]
    )
    steps = np.round(background.weights * 255).astype(np.uint8)
    table = pa.table(
        {
            "kind": pa.array(
                [
                    kind
                    for kind, one in zip(KINDS, frequencies, strict=True)
                    for _ in one.keys
                ],
                pa.string(),
            ),
            "key": pa.array(np.concatenate([one.keys for one in frequencies])),
            "document_count": pa.array(np.concatenate([one.counts for one in frequencies])),
            "documents": list_array(background.postings.astype(np.uint16), offsets),
            "weights": list_array(steps, offsets),
        }
    ).cast(BACKGROUND)
    metadata = {**BACKGROUND.metadata, b"documents": str(background.documents).encode()}
    pq.write_table(
        table.replace_schema_metadata(metadata),
        path,
        compression="zstd",
        compression_level=15,
        use_dictionary=["kind"],
        column_encoding={"documents.list.element": "DELTA_BINARY_PACKED"},
    )


def read_background(path: pathlib.Path | str) -> Background:
    """Read a background that `write_background` stored.

    Raises:
      ValueError: if the file is not a background, or one of another version.
    """
    with storage.opened(str(path)) as stream:
        table = pq.read_table(stream)
    metadata = table.schema.metadata or {}
    for field, expected in BACKGROUND.metadata.items():
        if metadata.get(field) != expected:
            raise ValueError(
                f"{path} must hold {field.decode()} {expected.decode()}, "
                f"got {metadata.get(field, b'none').decode()}"
            )
    documents = int(metadata[b"documents"])
    frequencies = {}
    for kind in KINDS:
        rows = table.filter(pc.equal(table["kind"], kind))
        frequencies[kind] = Frequencies(
            column(rows, "key"), column(rows, "document_count"), documents
        )
    terms = table.slice(0, len(frequencies["term"].keys))
    postings, offsets = list_column(terms, "documents")
    steps, _ = list_column(terms, "weights")
    return Background(
        frequencies["term"],
        frequencies["name"],
        frequencies["age"],
        offsets,
        postings.astype(np.int32),
        (steps.astype(np.float32) / np.float32(255)),
        documents,
    )
