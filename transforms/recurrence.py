"""Recurrence: what a source repeats across articles and days is furniture.

No phrase list knows "You are reading the Valley edition". But a line that stands in
several articles of one source, each with other text around it, is the site's and not the
article's. Counting articles is not enough: versions of one report and the paragraphs of
an agency repeat too, up to a thousand of them in two days of news. So what is counted is
*contexts* (`line_contexts.py`). A line is furniture when it stands in three unlike
contexts and is short or was seen over days.

Read by hand, 34 of 36 long lines that this rule alone removed from four years of local
news were furniture; of lines counted by article in two days of news nearly none was.
A template sentence ("The investigation is ongoing.") repeats like a slogan does, so
`stripping.py` spares what looks like one. Of a slogan more is known: no other source says
it, and it keeps to the edge of the page. Such a line is called *proper* to its source.

Two more things take all articles to see: a line that is the headline of another article
of its source is a link to it, and a name in a dateline, "(Valley Wire) -", is an agency.

Nothing here depends on the order of articles: lines are gathered, then judged.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from schemas.batch import column, concatenate
from transforms.line_contexts import (
    NO_DAY,
    SKETCH_SIZE,
    count_contexts,
    line_contexts,
    names_other_articles,
)
from transforms.line_rules import RuledLines
from transforms.line_words import hash_words, line_key
from transforms.lines import read_lines
from transforms.tokens import mix64

# In place of a source: what is furniture on every site; and, with the key of a whole text,
# that none of its unlike titles fits it, or that one of them does; and, with the key of a
# name, that datelines name it.
ANY_SOURCE = 0
WHOLE_TEXT = 1
BORNE_OUT = 2
AGENCY = 3
# Added to the key of a source: its lines that are proper to it, and that are headlines.
PROPER = np.uint64(0x6C62272E07BB0142)
HEADLINE = np.uint64(0x27D4EB2F165667C5)

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_DAY_MICROSECONDS = 86_400_000_000
_HEADLINE_WORDS = 3

# What a row of LINE is of.
_OF_LINE, _OF_TITLE, _OF_AGENCY, _OF_SOURCE = range(4)
# Of more sources no batch tells; so many are enough to say that a line has but one.
_MOST_SOURCES = 8

# One row a line of an article that no rule takes, once; its title; its agency's name.
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
        # 0: a line; 1: the title; 2: the name of an agency in a dateline; 3: no line, but
        # a source that is at hand.
        pa.field("role", pa.uint8(), nullable=False),
        # The line is one of the first or last of the article.
        pa.field("edge", pa.bool_(), nullable=False),
        # The smallest hashes of runs of words of the article's other lines, ascending,
        # filled up with 2^32 - 1.
        pa.field("context", pa.list_(pa.uint32(), SKETCH_SIZE), nullable=False),
    ],
    metadata={"schema": "newsdedup.line", "version": "2"},
)

# What was found to be furniture; sorted by both keys, distinct.
RECURRING = pa.schema(
    [
        # Hash of the source, PROPER or HEADLINE added or not, or ANY_SOURCE; with AGENCY
        # the key is of a name, with WHOLE_TEXT and BORNE_OUT of a text.
        pa.field("source_key", pa.uint64(), nullable=False),
        pa.field("line_key", pa.uint64(), nullable=False),
    ],
    metadata={"schema": "newsdedup.recurring", "version": "2"},
)


def source_keys(sources: pa.Array) -> npt.NDArray[np.uint64]:
    """Give the hash of each source, ANY_SOURCE for null or ""; uint64, shape (n,)."""
    coded = sources.dictionary_encode()
    hashes = [
        max(xxhash.xxh3_64_intdigest(name.encode()), AGENCY + 1) if name else ANY_SOURCE
        for name in coded.dictionary.to_pylist()
    ]
    known = np.array([*hashes, ANY_SOURCE], dtype=np.uint64)
    places = coded.indices.fill_null(len(hashes))
    return known[places.to_numpy(zero_copy_only=False)]


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


def headline_keys(titles: pa.Array) -> npt.NDArray[np.uint64]:
    """Give the line key of each title, 0 for one too short to be told from a phrase."""
    keys, counts = title_keys(titles)
    return np.where(counts >= _HEADLINE_WORDS, keys, np.uint64(0))


def title_keys(
    titles: pa.Array,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Give the line key of the first line of each title, and its words; a null has none."""
    lines = read_lines(titles.fill_null("").cast(pa.string()))
    words = hash_words(lines)
    first = lines.offsets[:-1]
    return words.keys[first], np.diff(words.offsets)[first]


class ArticleLines(NamedTuple):
    """What is known of n articles and their m lines when it is judged what recurs.

    Attributes:
      articles: uint64, shape (n,). Their keys.
      sources: uint64, shape (n,), as of `source_keys`.
      days: int32, shape (n,), as of `article_days`.
      titles: uint64, shape (n,), as of `headline_keys`.
      agencies: uint64, shape (n,). Line key of the name in the dateline, 0 for none.
      texts: uint64, shape (n,), as of `text_keys`.
      offsets: int64, shape (n + 1,). Article i owns lines offsets[i] to offsets[i + 1], at
        least one.
      keys: uint64, shape (m,). Equal for lines of the same words; 0 for one without.
      words: int32, shape (m,).
      by_rule: bool, shape (m,). A rule takes the line: it is neither noted nor part of a
        context.
      sketches: uint32, shape (n, SKETCH_SIZE), as of `article_sketches`.
      owners: int32, shape (n, SKETCH_SIZE), as of `article_sketches`.
    """

    articles: npt.NDArray[np.uint64]
    sources: npt.NDArray[np.uint64]
    days: npt.NDArray[np.int32]
    titles: npt.NDArray[np.uint64]
    agencies: npt.NDArray[np.uint64]
    texts: npt.NDArray[np.uint64]
    offsets: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    words: npt.NDArray[np.int32]
    by_rule: npt.NDArray[np.bool_]
    sketches: npt.NDArray[np.uint32]
    owners: npt.NDArray[np.int32]

    @property
    def standing(self) -> npt.NDArray[np.bool_]:
        """Tell which lines are of the article, as far as they say of themselves."""
        return (self.keys != 0) & ~self.by_rule


def article_lines(batch: pa.RecordBatch, ruled: RuledLines) -> ArticleLines:
    """Give what is known of a batch of articles.

    Args:
      batch: articles.
      ruled: their lines.
    """
    agencies = np.zeros(batch.num_rows, np.uint64)
    named = np.flatnonzero(ruled.datelines.is_valid().to_numpy(zero_copy_only=False))
    names = ruled.datelines.take(pa.array(named)).to_pylist()
    agencies[named] = [line_key(name) for name in names]
    by_rule = ruled.rules > 0
    return ArticleLines(
        articles=column(batch, "article_key"),
        sources=source_keys(batch.column("source")),
        days=article_days(batch),
        titles=headline_keys(batch.column("title")),
        agencies=agencies,
        texts=text_keys(ruled.offsets, ruled.keys, by_rule),
        offsets=ruled.offsets,
        keys=ruled.keys,
        words=ruled.words,
        by_rule=by_rule,
        sketches=ruled.sketches,
        owners=ruled.owners,
    )


def article_keys(lines: ArticleLines) -> npt.NDArray[np.uint64]:
    """Give the keys of lines, titles, agencies and whole texts of articles, repeats too.

    Most of them are met once in all the news, and of these nothing need be noted.
    """
    found = np.concatenate(
        (lines.keys[~lines.by_rule], lines.titles, lines.texts, lines.agencies)
    )
    return found[found != 0]


def repeated_keys(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Give the keys that are met more than once, ascending."""
    ordered = np.sort(keys)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def among(
    keys: npt.NDArray[np.uint64], known: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """Tell which keys are among the known ones, which are ascending; 0 never is."""
    if not known.size:
        return np.zeros(keys.size, np.bool_)
    places = np.minimum(np.searchsorted(known, keys), known.size - 1)
    return np.asarray((known[places] == keys) & (keys != 0), np.bool_)


def observe_lines(lines: ArticleLines, repeated: npt.NDArray[np.uint64]) -> pa.RecordBatch:
    """Note every distinct line of every article with what stands around it.

    Its title is noted too, and the agency that its dateline names.

    Args:
      lines: of articles.
      repeated: ascending. Keys of the lines and titles that are noted.

    Returns:
      A batch of LINE rows.
    """
    chosen, of_title, edge, contexts = line_contexts(
        lines.offsets,
        lines.keys,
        lines.by_rule,
        lines.titles,
        lines.sketches,
        lines.owners,
        among(lines.keys, repeated) & ~lines.by_rule,
        among(lines.titles, repeated),
    )
    article = np.searchsorted(lines.offsets, chosen, side="right") - 1
    noted = _line_rows(
        np.where(of_title, lines.titles[article], lines.keys[chosen]),
        lines.sources[article],
        lines.articles[article],
        lines.days[article],
        np.minimum(lines.words[chosen], 65_535).astype(np.uint16),
        np.where(of_title, _OF_TITLE, _OF_LINE),
        edge,
        contexts,
    )
    at = np.flatnonzero(lines.agencies)
    agencies = _bare_rows(
        lines.agencies[at],
        lines.sources[at],
        lines.articles[at],
        lines.days[at],
        _OF_AGENCY,
    )
    return concatenate([noted, agencies], LINE)


def observe_sources(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Note some sources that are at hand, as LINE rows for whoever judges lines."""
    keys = source_keys(batch.column("source"))
    known = np.unique(keys[keys != ANY_SOURCE])[:_MOST_SOURCES]
    none = np.zeros(known.size, np.uint64)
    undated = np.full(known.size, NO_DAY, np.int32)
    return _bare_rows(none, known, none, undated, _OF_SOURCE)


def _bare_rows(
    keys: npt.NDArray[np.uint64],
    sources: npt.NDArray[np.uint64],
    articles: npt.NDArray[np.uint64],
    days: npt.NDArray[np.int32],
    role: int,
) -> pa.RecordBatch:
    """Make LINE rows of what has no context."""
    return _line_rows(
        keys,
        sources,
        articles,
        days,
        np.zeros(keys.size, np.uint16),
        np.full(keys.size, role),
        np.zeros(keys.size, np.bool_),
        np.full((keys.size, SKETCH_SIZE), np.iinfo(np.uint32).max, np.uint32),
    )


def _line_rows(*values: npt.NDArray[np.generic]) -> pa.RecordBatch:
    """Make LINE rows of the columns in their order, the last of shape (k, SKETCH_SIZE)."""
    *plain, contexts = values
    columns = [
        pa.array(column, field.type) for column, field in zip(plain, LINE, strict=False)
    ]
    flat = pa.array(contexts.reshape(-1))
    columns.append(pa.FixedSizeListArray.from_arrays(flat, SKETCH_SIZE))
    return pa.RecordBatch.from_arrays(columns, schema=LINE)


def article_days(batch: pa.RecordBatch) -> npt.NDArray[np.int32]:
    """Give the day of each article since 1970; NO_DAY where it has no date."""
    times = batch.column("published_at").cast(pa.int64())
    known = times.is_valid().to_numpy(zero_copy_only=False)
    days = times.fill_null(0).to_numpy(zero_copy_only=False) // _DAY_MICROSECONDS
    return np.where(known, days, NO_DAY).astype(np.int32)


def recurring_lines(
    observed: pa.RecordBatch,
    *,
    min_contexts: int = 3,
    many_contexts: int = 5,
    min_days: int = 3,
    long_days: int = 7,
    short_words: int = 12,
    short_words_anywhere: int = 8,
    min_sources: int = 4,
    edge_share: float = 0.9,
    min_agency_articles: int = 2,
) -> pa.RecordBatch:
    """Judge which lines are furniture of their source, or of every site.

    A line is furniture of a source that repeats it in `min_contexts` unlike contexts, if
    it is short, or was seen over `min_days`, or in `many_contexts`; or in two contexts or
    three articles over `long_days`. It is furniture anywhere if it stands in
    `many_contexts`, and is very short or was seen over `min_days`. Where no two articles
    have a date, days say nothing and contexts alone decide.

    A line of a source in `min_contexts` is proper to it if `edge_share` of its articles
    have it at an edge and no other source has it, though `min_sources` are at hand.

    Args:
      observed: LINE rows, all that there are of each line, and those of sources.
      min_contexts: unlike contexts that make a line furniture.
      many_contexts: unlike contexts that make it furniture without further evidence.
      min_days: days from first to last sight that support three contexts.
      long_days: days that support two contexts or three articles.
      short_words: a line of fewer words needs no days.
      short_words_anywhere: the same where the source does not count.
      min_sources: where fewer are seen, that only one says a line means nothing.
      edge_share: share of its articles, 0 to 1, that have a proper line at an edge.
      min_agency_articles: articles whose dateline makes a name that of an agency.

    Returns:
      RECURRING rows, sorted, distinct.
    """
    keys = column(observed, "line_key")
    sources = column(observed, "source_key")
    articles = column(observed, "article_key")
    days = column(observed, "day")
    words = column(observed, "words")
    role = column(observed, "role")
    edge = column(observed, "edge")
    contexts = column(observed, "context").reshape(-1, SKETCH_SIZE)
    found: list[npt.NDArray[np.uint64]] = []

    # Most lines stand once in all the news: leave them before sorting contexts.
    order = np.lexsort((articles, role, sources, keys))
    again = np.zeros(len(keys), dtype=np.bool_)
    if len(keys):
        same = keys[order][1:] == keys[order][:-1]
        again[1:] |= same
        again[:-1] |= same
    order = order[again & (role[order] != _OF_SOURCE)]

    def starts(*by: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        if not len(order):
            return np.zeros(1, dtype=np.int64)
        changes = np.zeros(len(order) - 1, dtype=np.bool_)
        for values in by:
            changes |= values[order][1:] != values[order][:-1]
        return np.concatenate(([0], np.flatnonzero(changes) + 1, [len(order)]))

    def count(groups: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
        return count_contexts(groups, articles[order], days[order], contexts[order])

    everything = order
    groups = starts(keys, sources)
    rows = order[groups[:-1]]
    links = names_other_articles(
        groups, articles[order], role[order] == _OF_TITLE, contexts[order]
    ) & (sources[rows] != ANY_SOURCE)
    found.append(np.stack((sources[rows] + HEADLINE, keys[rows]), axis=1)[links])

    order = everything[role[everything] == _OF_LINE]
    groups = starts(keys, sources)
    rows = order[groups[:-1]]
    docs, spans, unlike = count(groups)
    furniture = (unlike >= min_contexts) & (
        (spans >= min_days) | (words[rows] < short_words) | (unlike >= many_contexts)
    )
    furniture |= (spans >= long_days) & ((unlike >= 2) | (docs >= 3))
    furniture &= sources[rows] != ANY_SOURCE
    found.append(np.stack((sources[rows], keys[rows]), axis=1)[furniture])

    known = rows[sources[rows] != ANY_SOURCE]
    _, place, in_sources = np.unique(keys[known], return_inverse=True, return_counts=True)
    alone = np.zeros(len(rows), dtype=np.bool_)
    alone[sources[rows] != ANY_SOURCE] = (in_sources == 1)[place]
    at_edge = np.diff(np.concatenate(([0], np.cumsum(edge[order])))[groups])
    proper = alone & (unlike >= min_contexts) & (at_edge >= edge_share * docs)
    if len(np.unique(sources[sources != ANY_SOURCE])) >= min_sources:
        found.append(np.stack((sources[rows] + PROPER, keys[rows]), axis=1)[proper])

    order = order[np.lexsort((articles[order], keys[order]))]
    groups = starts(keys)
    rows = order[groups[:-1]]
    _, spans, unlike = count(groups)
    furniture = (unlike >= many_contexts) & (
        (spans >= min_days) | (words[rows] < short_words_anywhere)
    )
    anywhere = np.full(len(rows), ANY_SOURCE, dtype=np.uint64)
    found.append(np.stack((anywhere, keys[rows]), axis=1)[furniture])

    named, times = np.unique(keys[role == _OF_AGENCY], return_counts=True)
    named = named[times >= min_agency_articles]
    agency = np.full(len(named), AGENCY, dtype=np.uint64)
    found.append(np.stack((agency, named), axis=1))
    return recurring_table(np.concatenate(found))


def recurring_table(pairs: npt.NDArray[np.uint64]) -> pa.RecordBatch:
    """Make RECURRING rows of pairs of a source and a line key, shape (k, 2)."""
    pairs = np.unique(pairs.reshape(-1, 2), axis=0) if len(pairs) else pairs.reshape(-1, 2)
    return pa.RecordBatch.from_arrays(
        [pa.array(np.ascontiguousarray(pairs[:, i]), pa.uint64()) for i in (0, 1)],
        schema=RECURRING,
    )


def remembered_lines(sources: pa.Array, lines: pa.Array) -> pa.RecordBatch:
    """Make RECURRING rows of the lines that an earlier run took because they recur.

    Args:
      sources: of n lines.
      lines: as they stand in `boilerplate/`.
    """
    keys, _ = title_keys(lines)
    return recurring_table(np.stack((source_keys(sources), keys), axis=1))


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
    return _holds(
        column(recurring, "source_key"), column(recurring, "line_key"), sources, keys
    )


@numba.njit(cache=True, nogil=True)
def _holds(
    known_sources: npt.NDArray[np.uint64],
    known_keys: npt.NDArray[np.uint64],
    sources: npt.NDArray[np.uint64],
    keys: npt.NDArray[np.uint64],
) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(keys), dtype=np.bool_)
    for row in range(len(keys)):
        low, high = 0, len(known_keys)
        while low < high:
            middle = (low + high) // 2
            if known_sources[middle] < sources[row] or (
                known_sources[middle] == sources[row] and known_keys[middle] < keys[row]
            ):
                low = middle + 1
            else:
                high = middle
        found[row] = (
            low < len(known_keys)
            and known_sources[low] == sources[row]
            and known_keys[low] == keys[row]
        )
    return found
