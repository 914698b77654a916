"""Blocking: which articles are compared at all.

A million articles make half a trillion pairs; a story has some ten. Articles are compared
within a block, all articles of one language that stand near in time, and there only with
their nearest: by words, by the names in title and first sentences, by all names, and by
embedding where there is one. Neighbours by words are found over an inverted index of each
article's heaviest terms; the terms that are cut weigh little and have the long posting
lists, so the cost of an article hardly grows with the block.

An article of a story is lost when no member of the story is among its nearest; the story
then falls apart. On labelled news 94 to 100 % of the pairs of one story are proposed, and
nearly all others are joined through a third article.

A block of a language is one slab of time. If a language has more than `block_size`
articles, its slabs overlap by half: every pair of articles that has at most
block_size / 2 articles between it meets in one of them.

G. Papadakis et al., "Blocking and filtering techniques for entity resolution: a survey",
2020.
"""

import dataclasses
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from schemas.batch import column, split_by
from transforms.rarity import WeighedArticles
from transforms.term_vectors import SparseVectors, heaviest_terms

SECONDS_AN_HOUR = 3600

# Rows with a vector up to which every one is compared with every other.
EXACT_VECTORS = 8192


@dataclasses.dataclass(frozen=True)
class Neighbours:
    """How many nearest articles are proposed, by kind of nearness."""

    by_terms: int = 25
    by_lead_names: int = 12
    by_names: int = 12
    by_vector: int = 12


def candidate_pairs(
    articles: WeighedArticles,
    vectors: npt.NDArray[np.floating] | None = None,
    *,
    neighbours: Neighbours,
    heaviest: int = 48,
    max_postings: int = 2000,
) -> npt.NDArray[np.int32]:
    """Propose the pairs of a block that are worth scoring.

    Args:
      articles: n articles.
      vectors: shape (n, d), unit vectors; a row of zeros has none. None: no vectors.
      neighbours: nearest articles to propose of each kind.
      heaviest: terms of an article that are looked up; the rest weigh least.
      max_postings: a term that more articles are looked up by is passed over.

    Returns:
      Array of shape (m, 2): row numbers, first below second, ascending, distinct.
    """
    found = [
        nearest_by_terms(
            vectors_of_kind, count, heaviest=heaviest, max_postings=max_postings
        )
        for vectors_of_kind, count in (
            (articles.terms, neighbours.by_terms),
            (articles.lead_names, neighbours.by_lead_names),
            (articles.names, neighbours.by_names),
        )
    ]
    if vectors is not None and neighbours.by_vector:
        found.append(nearest_by_vector(vectors, neighbours.by_vector))
    return distinct_pairs(np.concatenate(found))


def distinct_pairs(pairs: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Sort the two of each pair, drop repeats and pairs of one row with itself.

    Args:
      pairs: shape (m, 2). Row numbers in any order; rows with -1 are dropped.
    """
    first = pairs.min(axis=1).astype(np.int64) if len(pairs) else np.zeros(0, np.int64)
    second = pairs.max(axis=1).astype(np.int64) if len(pairs) else first
    kept = (first >= 0) & (first < second)
    codes = np.unique(first[kept] << 32 | second[kept])
    return np.stack([codes >> 32, codes & 0xFFFFFFFF], axis=1).astype(np.int32)


def nearest_by_terms(
    vectors: SparseVectors, count: int, *, heaviest: int, max_postings: int
) -> npt.NDArray[np.int32]:
    """Find for each article the `count` others of highest cosine, over heavy terms.

    Returns:
      Array of shape (m, 2): an article and a near one. Equal cosines: the lower row.
    """
    kept = heaviest_terms(vectors.offsets, vectors.weights, heaviest)
    rows = np.repeat(
        np.arange(len(vectors.offsets) - 1, dtype=np.int32), np.diff(vectors.offsets)
    )[kept]
    terms, weights = vectors.terms[kept], vectors.weights[kept]
    order = np.argsort(terms, kind="stable")
    posting_offsets = np.zeros(vectors.size + 1, np.int64)
    np.cumsum(np.bincount(terms, minlength=vectors.size), out=posting_offsets[1:])
    row_offsets = np.zeros(len(vectors.offsets), np.int64)
    np.cumsum(np.bincount(rows, minlength=len(vectors.offsets) - 1), out=row_offsets[1:])
    near = _nearest(
        terms,
        weights,
        row_offsets,
        rows[order],
        weights[order],
        posting_offsets,
        count,
        max_postings,
    )
    return np.stack(
        [np.repeat(np.arange(len(near), dtype=np.int32), count), near.ravel()], axis=1
    )


@numba.njit(cache=True, nogil=True)
def _nearest(
    terms: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    row_offsets: npt.NDArray[np.int64],
    postings: npt.NDArray[np.int32],
    posting_weights: npt.NDArray[np.float32],
    posting_offsets: npt.NDArray[np.int64],
    count: int,
    max_postings: int,
) -> npt.NDArray[np.int32]:
    articles = len(row_offsets) - 1
    near = np.full((articles, count), -1, np.int32)
    cosines = np.zeros(articles, np.float32)
    touched = np.zeros(articles, np.int32)
    best = np.zeros(count, np.float32)
    for article in range(articles):
        touched_count = 0
        for place in range(row_offsets[article], row_offsets[article + 1]):
            term = terms[place]
            start, end = posting_offsets[term], posting_offsets[term + 1]
            if end - start > max_postings:
                continue
            weight = weights[place]
            for posting in range(start, end):
                other = postings[posting]
                if cosines[other] == 0:
                    touched[touched_count] = other
                    touched_count += 1
                cosines[other] += weight * posting_weights[posting]
        best[:] = 0
        found = near[article]
        for index in range(touched_count):
            other = touched[index]
            cosine = cosines[other]
            cosines[other] = 0
            if other == article or cosine < best[count - 1]:
                continue
            if cosine == best[count - 1] and other > found[count - 1] >= 0:
                continue
            # Kept in order by insertion: most articles fail the comparison above.
            place = count - 1
            while place > 0 and (
                best[place - 1] < cosine
                or (best[place - 1] == cosine and found[place - 1] > other)
            ):
                best[place] = best[place - 1]
                found[place] = found[place - 1]
                place -= 1
            best[place] = cosine
            found[place] = other
    return near


def nearest_by_vector(
    vectors: npt.NDArray[np.floating], count: int
) -> npt.NDArray[np.int32]:
    """Find for each row with a vector the `count` others of highest cosine.

    Up to EXACT_VECTORS rows all are compared. Above, each row is compared with those
    that share one of its two nearest of about sqrt(n) pivots: the cost of a row then
    grows with the square root of the block, and a few neighbours are missed.

    Args:
      vectors: shape (n, d). Unit vectors, or zeros for a row without one.
      count: near rows to find for each.

    Returns:
      Array of shape (m, 2): a row and a near one.
    """
    rows = np.flatnonzero(np.any(vectors != 0, axis=1)).astype(np.int32)
    if len(rows) < 2:
        return np.zeros((0, 2), np.int32)
    dense = vectors[rows].astype(np.float32)
    if len(rows) <= EXACT_VECTORS:
        return _nearest_among(dense, rows, count)
    pivots = dense[:: max(1, int(np.sqrt(len(rows))) // 2)]
    cells = np.concatenate(
        [
            np.argpartition(-(dense[start : start + 1024] @ pivots.T), 2, axis=1)[:, :2]
            for start in range(0, len(dense), 1024)
        ]
    )
    found = []
    for cell in range(len(pivots)):
        members = np.flatnonzero((cells == cell).any(axis=1))
        if len(members) > 1:
            found.append(_nearest_among(dense[members], rows[members], count))
    return np.concatenate(found)


def _nearest_among(
    dense: npt.NDArray[np.float32], rows: npt.NDArray[np.int32], count: int
) -> npt.NDArray[np.int32]:
    count = min(count, len(rows) - 1)
    found = []
    for start in range(0, len(dense), 1024):
        cosines = dense[start : start + 1024] @ dense.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -2
        near = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        found.append(
            np.stack(
                [np.repeat(rows[start : start + len(near)], count), rows[near].ravel()],
                axis=1,
            )
        )
    return np.concatenate(found)


@dataclasses.dataclass(frozen=True)
class Timeline:
    """How many articles a language has, by hour of publication.

    Attributes:
      hours: shape (h,), int64. Hours since 1970, ascending, distinct.
      counts: shape (h,), int64. Articles of each.
      undated: articles without a date.
    """

    hours: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    undated: int

    @property
    def articles(self) -> int:
        """Articles with a date and without."""
        return int(self.counts.sum()) + self.undated


def timelines(batch: pa.RecordBatch) -> dict[str, Timeline]:
    """Count the articles of each language by hour.

    Args:
      batch: with columns `language` and `published`, in seconds since 1970 or null.
    """
    languages = np.asarray(batch.column("language").to_pylist(), dtype=object)
    published = batch.column("published")
    dated = published.is_valid().to_numpy(zero_copy_only=False)
    hours = published.fill_null(0).to_numpy() // SECONDS_AN_HOUR
    result = {}
    for language in sorted(set(languages)):
        own = languages == language
        distinct, counts = np.unique(hours[own & dated], return_counts=True)
        result[language] = Timeline(distinct, counts, int((own & ~dated).sum()))
    return result


def merge_timelines(parts: Iterable[dict[str, Timeline]]) -> dict[str, Timeline]:
    """Add up timelines, language by language; the order of the parts is no matter."""
    gathered: dict[str, list[Timeline]] = {}
    for part in parts:
        for language, timeline in part.items():
            gathered.setdefault(language, []).append(timeline)
    merged = {}
    for language, lines in sorted(gathered.items()):
        hours = np.concatenate([line.hours for line in lines])
        counts = np.concatenate([line.counts for line in lines])
        distinct, places = np.unique(hours, return_inverse=True)
        sums = np.zeros(len(distinct), np.int64)
        np.add.at(sums, places, counts)
        merged[language] = Timeline(distinct, sums, sum(line.undated for line in lines))
    return merged


def slab_starts(timeline: Timeline, *, block_size: int) -> npt.NDArray[np.int64]:
    """Cut a timeline into spans of at most block_size / 2 articles.

    A slab is two neighbouring spans. An hour is never cut, so that one with more
    articles than that is a span of its own.

    Returns:
      Array of shape (s,): the first hour of each span but the first, ascending; empty
      if all articles fit one block.

    Raises:
      ValueError: if block_size is below 2.
    """
    if block_size < 2:
        raise ValueError(f"block_size must be at least 2, got {block_size}")
    if timeline.articles <= block_size:
        return np.zeros(0, np.int64)
    starts = []
    filled = 0
    for hour, count in zip(timeline.hours, timeline.counts, strict=True):
        if filled and filled + count > block_size // 2:
            starts.append(hour)
            filled = 0
        filled += count
    return np.array(starts, np.int64)


def article_blocks(
    keys: npt.NDArray[np.uint64],
    hours: npt.NDArray[np.int64],
    dated: npt.NDArray[np.bool_],
    starts: npt.NDArray[np.int64],
    undated: int,
    *,
    block_size: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Put each article of a language into its slabs.

    A dated article is in the two slabs that its span belongs to. One without a date is
    in as many slabs as have room for it, block_size articles without a date in each:
    in all of them where they are few.

    Args:
      keys: shape (n,). Article keys.
      hours: shape (n,). Hour of publication; any number where not dated.
      dated: shape (n,).
      starts: of `slab_starts`.
      undated: articles of the language without a date, those of other batches included.
      block_size: articles of a block.

    Returns:
      rows: shape (m,), int64. Row numbers, some more than once.
      slabs: shape (m,), int64. The slab of each, below max(1, len(starts)).
    """
    slabs = max(1, len(starts))
    spans = np.searchsorted(starts, hours, side="right")
    rows, places = [], []
    for shift in (-1, 0):
        place = spans + shift
        own = np.flatnonzero(dated & (place >= 0) & (place < slabs))
        rows.append(own)
        places.append(place[own])
    without = np.flatnonzero(~dated)
    room = int(np.clip(block_size * slabs // max(1, undated), 1, slabs))
    first = (keys[without] % np.uint64(slabs)).astype(np.int64)
    for step in range(room):
        rows.append(without)
        places.append((first + step) % slabs)
    return np.concatenate(rows), np.concatenate(places)


def block_key(language: str, slab: int) -> int:
    """Give the shuffle key of a block, equal on every worker."""
    return xxhash.xxh3_64_intdigest(f"{language}/{slab}".encode()) >> 1


@dataclasses.dataclass(eq=False)
class AssignBlocks(beam.PTransform):
    """Key the articles by the blocks in which they are compared.

    An article of unknown language ("und": too short to tell) is compared with those of
    the commonest language.

    Attributes:
      block_size: articles of a block, above which slabs of time are made.
    """

    block_size: int = 50_000

    def expand(
        self, batches: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[tuple[int, pa.RecordBatch]]:
        """Count the timelines first, then cut them."""
        counted = (
            batches
            | "Count hours" >> beam.Map(timelines)
            | "Add hours" >> beam.CombineGlobally(merge_timelines)
        )
        return batches | "Cut" >> beam.FlatMap(
            self._cut, lines=beam.pvalue.AsSingleton(counted)
        )

    def _cut(
        self, batch: pa.RecordBatch, lines: dict[str, Timeline]
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        known = [language for language in lines if language != "und"]
        commonest = max(
            known or ["und"], key=lambda language: (lines[language].articles, language)
        )
        joined = {**lines}
        if commonest != "und" and "und" in lines:
            pair = ({commonest: lines[commonest]}, {commonest: lines["und"]})
            joined[commonest] = merge_timelines(pair)[commonest]
        languages = np.asarray(batch.column("language").to_pylist(), dtype=object)
        languages[languages == "und"] = commonest
        for language in sorted(set(languages)):
            own = batch.take(pa.array(np.flatnonzero(languages == language)))
            published = own.column("published")
            rows, slabs = article_blocks(
                column(own, "article_key"),
                published.fill_null(0).to_numpy() // SECONDS_AN_HOUR,
                published.is_valid().to_numpy(zero_copy_only=False),
                slab_starts(joined[language], block_size=self.block_size),
                joined[language].undated,
                block_size=self.block_size,
            )
            for slab, part in split_by(own.take(pa.array(rows)), slabs):
                yield block_key(language, slab), part
