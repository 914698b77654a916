"""Blocking: which articles are compared at all.

A million articles make half a trillion pairs; a story has some ten. Articles are compared
within a block, all articles of one language that stand near in time, and there only with
their nearest: by words, by the names in title and first sentences, by all names, and by
embedding where there is one (`nearest`).

An article of a story is lost when no member of the story is among its nearest; the story
then falls apart. On labelled news 94 to 100 % of the pairs of one story are proposed, and
nearly all others are joined through a third article.

By words and names an article is compared with those near it in time: a pair with more
than WINDOW others between its two dates is not, so that the cost of an article does not
grow with the years that a run spans. One without a date is compared with all its block.

A block of a language is one slab of time. If a language has more than `block_size`
articles, its slabs overlap by a window: every pair of articles that is near enough to
be compared meets in one of them.

G. Papadakis et al., "Blocking and filtering techniques for entity resolution: a survey",
2020.
"""

import dataclasses
import uuid
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from schemas.batch import column
from transforms import storage
from transforms.nearest import (
    Order,
    distinct_pairs,
    nearest_by_terms,
    nearest_by_vector,
)
from transforms.rarity import WeighedArticles
from transforms.spilling import Slice, read_slice, spill_shards

SECONDS_AN_HOUR = 3600

# Articles between two in time up to which these are compared.
WINDOW = 25_000


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
    order: Order | None = None,
) -> npt.NDArray[np.int32]:
    """Propose the pairs of a block that are worth scoring.

    Args:
      articles: n articles.
      vectors: shape (n, d), unit vectors; a row of zeros has none. None: no vectors.
      neighbours: nearest articles to propose of each kind.
      order: of the articles in time; None: all are within reach of each other.

    Returns:
      Array of shape (m, 2): row numbers, first below second, ascending, distinct.
    """
    near = near_by_words(articles, neighbours=neighbours, order=order)
    return with_near_by_vector(near, vectors, neighbours=neighbours)


def near_by_words(
    articles: WeighedArticles,
    *,
    neighbours: Neighbours,
    heaviest: int = 48,
    max_postings: int = 2000,
    order: Order | None = None,
) -> npt.NDArray[np.int32]:
    """Propose pairs of articles that are near each other in words or names.

    Args:
      articles: n articles.
      neighbours: as of `candidate_pairs`.
      heaviest: terms of an article that are looked up; the rest weigh least.
      max_postings: a term that more articles within reach are looked up by is passed over.
      order: as of `candidate_pairs`.

    Returns:
      As `candidate_pairs`.
    """
    found = [
        nearest_by_terms(
            vectors_of_kind,
            count,
            heaviest=heaviest,
            max_postings=max_postings,
            order=order,
        )
        for vectors_of_kind, count in (
            (articles.terms, neighbours.by_terms),
            (articles.lead_names, neighbours.by_lead_names),
            (articles.names, neighbours.by_names),
        )
    ]
    return distinct_pairs(np.concatenate(found))


def with_near_by_vector(
    pairs: npt.NDArray[np.int32],
    vectors: npt.NDArray[np.floating] | None,
    *,
    neighbours: Neighbours,
) -> npt.NDArray[np.int32]:
    """Add the pairs of articles whose vectors are near each other.

    Args:
      pairs: as `near_by_words` gives them.
      vectors: as of `candidate_pairs`.
      neighbours: as of `candidate_pairs`.
    """
    if vectors is None or not neighbours.by_vector:
        return pairs
    found = nearest_by_vector(vectors, neighbours.by_vector)
    return distinct_pairs(np.concatenate([pairs, found]))


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


def slab_window(block_size: int, window: int) -> int:
    """Give the articles by which slabs overlap: half a block at most.

    Raises:
      ValueError: if block_size is below 2 or window below 1.
    """
    if block_size < 2:
        raise ValueError(f"block_size must be at least 2, got {block_size}")
    if window < 1:
        raise ValueError(f"window must be at least 1 article, got {window}")
    return min(window, block_size // 2)


def slab_starts(
    timeline: Timeline, *, block_size: int, window: int = WINDOW
) -> npt.NDArray[np.int64]:
    """Cut a timeline into spans of at most a window of articles.

    A slab is as many neighbouring spans as fit a block, and shares the last with the
    next. An hour is never cut, so that one with more articles than that is a span of
    its own.

    Args:
      timeline: of a language.
      block_size: articles of a block.
      window: articles by which slabs overlap, half a block at most.

    Returns:
      Array of shape (s,): the first hour of each span but the first, ascending; empty
      if all articles fit one block.

    Raises:
      ValueError: if block_size is below 2 or window below 1.
    """
    window = slab_window(block_size, window)
    if timeline.articles <= block_size:
        return np.zeros(0, np.int64)
    starts = []
    filled = 0
    for hour, count in zip(timeline.hours, timeline.counts, strict=True):
        if filled and filled + count > window:
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
    window: int = WINDOW,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Put each article of a language into its slabs.

    A dated article is in the slab, or the two slabs, that its span belongs to. One
    without a date is in as many slabs as have room for it, block_size articles without
    a date in each: in all of them where they are few.

    Args:
      keys: shape (n,). Article keys.
      hours: shape (n,). Hour of publication; any number where not dated.
      dated: shape (n,).
      starts: of `slab_starts`.
      undated: articles of the language without a date, those of other batches included.
      block_size: articles of a block.
      window: as it was given to `slab_starts`.

    Returns:
      rows: shape (m,), int64. Row numbers, some more than once.
      slabs: shape (m,), int64. The slab of each.
    """
    # Slab s holds the spans from s * step to (s + 1) * step, the last included.
    step = block_size // slab_window(block_size, window) - 1
    slabs = max(1, -(-len(starts) // step))
    spans = np.searchsorted(starts, hours, side="right")
    last = dated & (spans > 0) & (spans % step == 0)
    first = dated & (spans // step < slabs)
    rows = [np.flatnonzero(last), np.flatnonzero(first)]
    places = [spans[last] // step - 1, spans[first] // step]
    without = np.flatnonzero(~dated)
    room = int(np.clip(block_size * slabs // max(1, undated), 1, slabs))
    own = (keys[without] % np.uint64(slabs)).astype(np.int64)
    for shift in range(room):
        rows.append(without)
        places.append((own + shift) % slabs)
    return np.concatenate(rows), np.concatenate(places)


def block_key(language: str, slab: int) -> int:
    """Give the shuffle key of a block, equal on every worker."""
    return xxhash.xxh3_64_intdigest(f"{language}/{slab}".encode()) >> 1


def set_aside(batch: pa.RecordBatch, folder: str) -> Slice:
    """Write a batch to a folder, where it waits until its block is scored."""
    path = storage.join(folder, f"aside-{uuid.uuid4().hex}.arrow")
    with storage.created(path) as stream:
        with pa.ipc.new_stream(pa.PythonFile(stream, "w"), batch.schema) as writer:
            writer.write_batch(batch)
        return Slice(path, 0, stream.tell())


@dataclasses.dataclass(eq=False)
class AssignBlocks(beam.PTransform):
    """Key the articles by the blocks in which they are compared.

    An article of unknown language ("und": too short to tell) is compared with those of
    the commonest language. What is compared waits on disk until all are counted, and
    until their block is scored: a batch that goes to one block is not written again.

    Attributes:
      folder: staging folder of this attempt.
      block_size: articles of a block, above which slabs of time are made.
      window: articles by which they overlap, half a block at most.
      waiting: batches that wait on disk already; None: there are none.
    """

    folder: str
    block_size: int = 50_000
    window: int = WINDOW
    waiting: beam.PCollection[Slice] | None = None

    def expand(
        self, batches: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[tuple[int, Slice]]:
        """Count the timelines first, then cut them."""
        counted = batches | "Count hours" >> beam.Map(timelines)
        aside = batches | "Set aside" >> beam.FlatMap(self._aside).with_output_types(Slice)
        if self.waiting is not None:
            waiting = self.waiting | "Count hours of those waiting" >> beam.Map(_hours_of)
            counted = (counted, waiting) | "All hours" >> beam.Flatten()
            aside = (aside, self.waiting) | "All aside" >> beam.Flatten()
        counted |= "Add hours" >> beam.CombineGlobally(merge_timelines)
        return aside | "Cut" >> beam.FlatMap(
            self._cut, lines=beam.pvalue.AsSingleton(counted)
        ).with_output_types(tuple[int, Slice])

    def _aside(self, batch: pa.RecordBatch) -> list[Slice]:
        return [set_aside(batch, self.folder)] if batch.num_rows else []

    def _cut(self, part: Slice, lines: dict[str, Timeline]) -> Iterable[tuple[int, Slice]]:
        batch = read_slice(part)
        rows, blocks = self._blocks(batch, lines)
        if len(rows) == batch.num_rows and len(set(blocks)) == 1:
            return [(int(blocks[0]), part)]
        return spill_shards(batch.take(pa.array(rows)), blocks, self.folder)

    def _blocks(
        self, batch: pa.RecordBatch, lines: dict[str, Timeline]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Give the rows of a batch, some more than once, and the block of each."""
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
        keys, published = column(batch, "article_key"), batch.column("published")
        hours = published.fill_null(0).to_numpy() // SECONDS_AN_HOUR
        dated = published.is_valid().to_numpy(zero_copy_only=False)
        found, blocks = [], []
        for language in sorted(set(languages)):
            own = np.flatnonzero(languages == language)
            rows, slabs = article_blocks(
                keys[own],
                hours[own],
                dated[own],
                slab_starts(
                    joined[language], block_size=self.block_size, window=self.window
                ),
                joined[language].undated,
                block_size=self.block_size,
                window=self.window,
            )
            keyed = {slab: block_key(language, slab) for slab in set(slabs.tolist())}
            found.append(own[rows])
            blocks.append(np.array([keyed[slab] for slab in slabs.tolist()], np.int64))
        return np.concatenate(found), np.concatenate(blocks)


def _hours_of(part: Slice) -> dict[str, Timeline]:
    return timelines(read_slice(part))
