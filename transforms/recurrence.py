"""Recurrence: what a source repeats across articles and days is furniture.

No phrase list knows "You are reading the Valley edition". But a line that stands in
several articles of one source, each with other text around it, is the site's and not the
article's. Counting articles is not enough: versions of one report and the paragraphs of
an agency repeat too, up to a thousand of them in two days of news. So what is counted is
*contexts*: an article's context is a sketch of all its other lines, and two articles
whose sketches agree are one context, however often the report was published. A line is
furniture when it stands in three unlike contexts and is short or was seen over days.

Read by hand, 34 of 36 long lines that this rule alone removed from four years of local
news were furniture; of lines counted by article in two days of news nearly none was.

Nothing here depends on the order of articles: lines are gathered, then judged.
The sketch is a bottom-k sketch: A. Broder, "On the resemblance and containment of
documents", 1997.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from schemas.batch import column
from transforms.tokens import mix64, tokenize

# In place of a source: what is furniture on every site; and, with the key of a whole text,
# that none of its unlike titles fits it, or that one of them does.
ANY_SOURCE = 0
WHOLE_TEXT = 1
BORNE_OUT = 2

SKETCH_SIZE = 24
SHINGLE_WORDS = 8
MAX_CONTEXTS = 6
NO_DAY = np.iinfo(np.int32).min
_NONE = np.uint32(0xFFFFFFFF)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_DAY_MICROSECONDS = 86_400_000_000

# One row a distinct line of an article that no rule takes.
LINE = pa.schema(
    [
        pa.field("line_key", pa.uint64(), nullable=False),
        # Hash of the source; ANY_SOURCE where the article has none.
        pa.field("source_key", pa.uint64(), nullable=False),
        pa.field("article_key", pa.uint64(), nullable=False),
        # Days since 1970; NO_DAY when the article has no date.
        pa.field("day", pa.int32(), nullable=False),
        # At most 65,535.
        pa.field("words", pa.uint16(), nullable=False),
        # The smallest hashes of runs of words of the article's other lines, ascending,
        # filled up with 2^32 - 1.
        pa.field("context", pa.list_(pa.uint32(), SKETCH_SIZE), nullable=False),
    ],
    metadata={"schema": "newsdedup.line", "version": "1"},
)

# What was found to be furniture; sorted by both keys, distinct.
RECURRING = pa.schema(
    [
        # Hash of the source or ANY_SOURCE; WHOLE_TEXT or BORNE_OUT: the key is of a text.
        pa.field("source_key", pa.uint64(), nullable=False),
        pa.field("line_key", pa.uint64(), nullable=False),
    ],
    metadata={"schema": "newsdedup.recurring", "version": "1"},
)


def source_keys(sources: pa.Array) -> npt.NDArray[np.uint64]:
    """Give the hash of each source, ANY_SOURCE for null or ""; uint64, shape (n,)."""
    coded = sources.dictionary_encode()
    hashes = [
        max(xxhash.xxh3_64_intdigest(name.encode()), BORNE_OUT + 1) if name else ANY_SOURCE
        for name in coded.dictionary.to_pylist()
    ]
    known = np.array([*hashes, ANY_SOURCE], dtype=np.uint64)
    places = coded.indices.fill_null(len(hashes))
    return known[places.to_numpy(zero_copy_only=False)]


class Lines(NamedTuple):
    """The lines of n texts, m in all, as hashes.

    Attributes:
      offsets: int64, shape (n + 1,). Text i owns lines offsets[i] to offsets[i + 1].
      keys: uint64, shape (m,). Equal for lines of the same words when case, marks and
        numbers are ignored; 0 for a line without a word.
      words: uint64, shape (w,). The hash of every word, numbers being one word.
      word_offsets: int64, shape (m + 1,). Line j owns words word_offsets[j] to
        word_offsets[j + 1].
    """

    offsets: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    words: npt.NDArray[np.uint64]
    word_offsets: npt.NDArray[np.int64]


def hash_lines(texts: pa.Array) -> Lines:
    r"""Hash the lines of texts; "\n" parts them, so that a text of none is one line.

    Args:
      texts: n texts without null.
    """
    parted = pc.split_pattern(texts, "\n")
    offsets = parted.offsets.to_numpy().astype(np.int64)
    lines = pc.replace_substring_regex(parted.flatten(), r"\d[\d.,:]*\d|\d", "0")
    tokens = tokenize(lines)
    keys = _line_keys(tokens.hashes, tokens.offsets)
    return Lines(offsets - offsets[0], keys, tokens.hashes, tokens.offsets)


@numba.njit(cache=True, nogil=True)
def _line_keys(
    words: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    keys = np.zeros(offsets.size - 1, np.uint64)
    for line in range(keys.size):
        key = np.uint64(0)
        for word in range(offsets[line], offsets[line + 1]):
            key = mix64(key * _MULTIPLIER + words[word])
        keys[line] = key
    return keys


@numba.njit(cache=True, nogil=True)
def text_keys(
    offsets: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    ruled: npt.NDArray[np.bool_],
) -> npt.NDArray[np.uint64]:
    """Give the key of each text: of its lines that no rule takes; 0 if none is left.

    Args:
      offsets: shape (n + 1,), of `Lines`.
      keys: shape (m,), of `Lines`.
      ruled: shape (m,). Lines that a rule takes.
    """
    texts = np.zeros(offsets.size - 1, np.uint64)
    for text in range(texts.size):
        for line in range(offsets[text], offsets[text + 1]):
            if keys[line] != 0 and not ruled[line]:
                texts[text] = mix64(texts[text] * _MULTIPLIER + keys[line])
    return texts


@numba.njit(cache=True, nogil=True)
def _sketches(
    offsets: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    words: npt.NDArray[np.uint64],
    word_offsets: npt.NDArray[np.int64],
    ruled: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Give the first occurrence of every distinct line, and its context. See `observe`."""
    lines = len(keys)
    chosen = np.empty(lines, dtype=np.int64)
    contexts = np.full((lines, SKETCH_SIZE), _NONE, dtype=np.uint32)
    count = 0
    for text in range(len(offsets) - 1):
        start, end = offsets[text], offsets[text + 1]
        shingles = 0
        for line in range(start, end):
            if not ruled[line]:
                size = word_offsets[line + 1] - word_offsets[line]
                shingles += max(0, size - SHINGLE_WORDS + 1)
        hashes = np.empty(shingles, dtype=np.uint32)
        owners = np.empty(shingles, dtype=np.uint64)
        at = 0
        for line in range(start, end):
            if ruled[line]:
                continue
            for word in range(
                word_offsets[line], word_offsets[line + 1] - SHINGLE_WORDS + 1
            ):
                value = np.uint64(0)
                for step in range(SHINGLE_WORDS):
                    value = mix64(value * _MULTIPLIER + words[word + step])
                hashes[at] = min(np.uint32(value >> np.uint64(32)), _NONE - np.uint32(1))
                owners[at] = keys[line]
                at += 1
        order = np.argsort(hashes, kind="mergesort")
        # The smallest distinct hashes; of one in two lines the smaller key is the owner.
        sketch = np.empty(SKETCH_SIZE, dtype=np.uint32)
        owner = np.empty(SKETCH_SIZE, dtype=np.uint64)
        size = 0
        for place in order:
            if size and sketch[size - 1] == hashes[place]:
                owner[size - 1] = min(owner[size - 1], owners[place])
                continue
            if size == SKETCH_SIZE:
                break
            sketch[size] = hashes[place]
            owner[size] = owners[place]
            size += 1
        seen = np.sort(keys[start:end])
        done = np.zeros(end - start, dtype=np.bool_)
        for line in range(start, end):
            key = keys[line]
            if ruled[line] or key == 0:
                continue
            place = np.searchsorted(seen, key)
            if done[place]:
                continue
            done[place] = True
            filled = 0
            for entry in range(size):
                if owner[entry] != key:
                    contexts[count, filled] = sketch[entry]
                    filled += 1
            chosen[count] = line
            count += 1
    return chosen[:count].copy(), contexts[:count].copy()


def observe_lines(
    batch: pa.RecordBatch, lines: Lines, ruled: npt.NDArray[np.bool_]
) -> pa.RecordBatch:
    """Note every distinct line of every article with what stands around it.

    Args:
      batch: articles.
      lines: of their texts, m in all.
      ruled: shape (m,). Lines that a rule takes: neither noted nor part of a context.

    Returns:
      A batch of LINE rows.
    """
    chosen, contexts = _sketches(
        lines.offsets, lines.keys, lines.words, lines.word_offsets, ruled
    )
    article = np.searchsorted(lines.offsets, chosen, side="right") - 1
    values = {
        "line_key": lines.keys[chosen],
        "source_key": source_keys(batch.column("source"))[article],
        "article_key": column(batch, "article_key")[article],
        "day": article_days(batch)[article],
        "words": np.minimum(np.diff(lines.word_offsets)[chosen], 65_535).astype(np.uint16),
        "context": pa.FixedSizeListArray.from_arrays(
            pa.array(contexts.reshape(-1)), SKETCH_SIZE
        ),
    }
    return pa.RecordBatch.from_arrays([pa.array(v) for v in values.values()], schema=LINE)


def article_days(batch: pa.RecordBatch) -> npt.NDArray[np.int32]:
    """Give the day of each article since 1970; NO_DAY where it has no date."""
    times = batch.column("published_at").cast(pa.int64())
    known = times.is_valid().to_numpy(zero_copy_only=False)
    days = times.fill_null(0).to_numpy(zero_copy_only=False) // _DAY_MICROSECONDS
    return np.where(known, days, NO_DAY).astype(np.int32)


@numba.njit(cache=True, nogil=True)
def _count(
    starts: npt.NDArray[np.int64],
    articles: npt.NDArray[np.uint64],
    days: npt.NDArray[np.int32],
    contexts: npt.NDArray[np.uint32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count articles, days from first to last and unlike contexts of each group of rows.

    Rows of a group are sorted by article; the span is -1 where fewer than two articles
    have a date.
    """
    groups = len(starts) - 1
    docs = np.zeros(groups, dtype=np.int64)
    spans = np.full(groups, -1, dtype=np.int64)
    unlike = np.zeros(groups, dtype=np.int64)
    for group in range(groups):
        stored = np.empty(MAX_CONTEXTS, dtype=np.int64)
        first = np.int64(0)
        last = np.int64(0)
        dated = 0
        for row in range(starts[group], starts[group + 1]):
            if row > starts[group] and articles[row] == articles[row - 1]:
                continue
            docs[group] += 1
            if days[row] != NO_DAY:
                day = np.int64(days[row])
                first = min(first, day) if dated else day
                last = max(last, day) if dated else day
                dated += 1
            size = 0
            while size < SKETCH_SIZE and contexts[row, size] != _NONE:
                size += 1
            # Nothing stands around the line: that tells no article from another.
            if size == 0 or unlike[group] == MAX_CONTEXTS:
                continue
            fresh = True
            for place in range(unlike[group]):
                other = stored[place]
                i = 0
                j = 0
                common = 0
                while j < SKETCH_SIZE and contexts[other, j] != _NONE:
                    while i < size and contexts[row, i] < contexts[other, j]:
                        i += 1
                    if i < size and contexts[row, i] == contexts[other, j]:
                        common += 1
                    j += 1
                if common >= max(1, min(3, (min(size, j) + 3) // 4)):
                    fresh = False
                    break
            if fresh:
                stored[unlike[group]] = row
                unlike[group] += 1
        if dated >= 2:
            spans[group] = last - first
    return docs, spans, unlike


def recurring_lines(
    observed: pa.RecordBatch,
    *,
    min_contexts: int = 3,
    many_contexts: int = 5,
    min_days: int = 3,
    long_days: int = 7,
    short_words: int = 12,
    short_words_anywhere: int = 8,
) -> pa.RecordBatch:
    """Judge which lines are furniture of their source, or of every site.

    A line is furniture of a source that repeats it in `min_contexts` unlike contexts, if
    it is short, or was seen over `min_days`, or in `many_contexts`; or in two contexts or
    three articles over `long_days`. It is furniture anywhere if it stands in
    `many_contexts`, and is very short or was seen over `min_days`. Where no two articles
    have a date, days say nothing and contexts alone decide.

    Args:
      observed: LINE rows, all that there are of each line.
      min_contexts: unlike contexts that make a line furniture.
      many_contexts: unlike contexts that make it furniture without further evidence.
      min_days: days from first to last sight that support three contexts.
      long_days: days that support two contexts or three articles.
      short_words: a line of fewer words needs no days.
      short_words_anywhere: the same where the source does not count.

    Returns:
      RECURRING rows, sorted, distinct.
    """
    keys = column(observed, "line_key")
    sources = column(observed, "source_key")
    articles = column(observed, "article_key")
    days = column(observed, "day")
    words = column(observed, "words")
    contexts = column(observed, "context").reshape(-1, SKETCH_SIZE)
    found: list[npt.NDArray[np.uint64]] = []

    # Most lines stand once in all the news: leave them before sorting contexts.
    order = np.lexsort((articles, sources, keys))
    same = keys[order][1:] == keys[order][:-1]
    again = np.zeros(len(keys), dtype=np.bool_)
    again[1:] |= same
    again[:-1] |= same
    order = order[again]

    def judged(*by: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], ...]:
        changes = np.zeros(max(0, len(order) - 1), dtype=np.bool_)
        for values in by:
            changes |= values[order][1:] != values[order][:-1]
        starts = np.concatenate(([0], np.flatnonzero(changes) + 1, [len(order)]))
        if not len(order):
            starts = np.zeros(1, dtype=np.int64)
        counts = _count(starts, articles[order], days[order], contexts[order])
        return order[starts[:-1]], *counts

    rows, docs, spans, unlike = judged(keys, sources)
    furniture = (unlike >= min_contexts) & (
        (spans >= min_days) | (words[rows] < short_words) | (unlike >= many_contexts)
    )
    furniture |= (spans >= long_days) & ((unlike >= 2) | (docs >= 3))
    furniture &= sources[rows] != ANY_SOURCE
    found.append(np.stack((sources[rows], keys[rows]), axis=1)[furniture])

    order = order[np.lexsort((articles[order], keys[order]))]
    rows, docs, spans, unlike = judged(keys)
    furniture = (unlike >= many_contexts) & (
        (spans >= min_days) | (words[rows] < short_words_anywhere)
    )
    anywhere = np.full(len(rows), ANY_SOURCE, dtype=np.uint64)
    found.append(np.stack((anywhere, keys[rows]), axis=1)[furniture])
    return recurring_table(np.concatenate(found))


def recurring_table(pairs: npt.NDArray[np.uint64]) -> pa.RecordBatch:
    """Make RECURRING rows of pairs of a source and a line key, shape (k, 2)."""
    pairs = np.unique(pairs.reshape(-1, 2), axis=0) if len(pairs) else pairs.reshape(-1, 2)
    return pa.RecordBatch.from_arrays(
        [pa.array(np.ascontiguousarray(pairs[:, i]), pa.uint64()) for i in (0, 1)],
        schema=RECURRING,
    )


def is_recurring(
    recurring: pa.RecordBatch,
    sources: npt.NDArray[np.uint64],
    keys: npt.NDArray[np.uint64],
) -> npt.NDArray[np.bool_]:
    """Look lines up in a table of recurring ones.

    Args:
      recurring: RECURRING rows, sorted by both columns.
      sources: shape (m,). Source of each line.
      keys: shape (m,). Key of each line.

    Returns:
      Shape (m,). Whether the table holds the pair.
    """
    known_sources = column(recurring, "source_key")
    known_keys = column(recurring, "line_key")
    found = np.zeros(len(keys), dtype=np.bool_)
    for source in np.unique(sources):
        start, end = np.searchsorted(known_sources, [source, source + np.uint64(1)])
        if start == end:
            continue
        rows = np.flatnonzero(sources == source)
        here = known_keys[start:end]
        place = np.minimum(np.searchsorted(here, keys[rows]), len(here) - 1)
        found[rows] = here[place] == keys[rows]
    return found
