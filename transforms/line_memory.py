"""Line memory: what later runs need to see what a source repeats from run to run.

A slogan that stands in one article of each run recurs in none of them. So a run keeps the
keys of all lines of an article and the sketch of its text, a few hundred bytes, and a later
one judges lines of old and new articles together, as one run over all of them would. Only
lines that a new article holds, too, need be judged: of old articles only those are looked
at that hold one.

What it loses: of an article's lines beyond the 255th no context is known, and what is older
than the index is forgotten.
"""

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, list_array, list_column
from schemas.story import LINES
from transforms.line_contexts import NO_DAY, SKETCH_SIZE
from transforms.line_rules import RuledLines
from transforms.recurrence import (
    AGENCY,
    ANY_SOURCE,
    BORNE_OUT,
    HEADLINE,
    PROPER,
    WHOLE_TEXT,
    ArticleLines,
    among,
    article_keys,
    article_lines,
    headline_keys,
    is_recurring,
    observe_sources,
    source_keys,
    text_keys,
)

# More than the titles that make one the name of a column, and links to none of them.
MOST_HOLDERS = 48
# Such a line is judged for other sources alone.
MOST_KNOWN_HOLDERS = 2

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MOST_LINES = 255
# What is added to the key of a source for what is found of its lines.
_OF_SOURCE = (np.uint64(0), PROPER, HEADLINE)
_NONE = np.uint32(0xFFFFFFFF)


def lines_to_keep(batch: pa.RecordBatch, ruled: RuledLines) -> pa.RecordBatch:
    """Give what is to be kept of the lines of articles: LINES rows, in the same order.

    Args:
      batch: articles.
      ruled: their lines.
    """
    lines = article_lines(batch, ruled)
    standing = lines.standing
    before = np.concatenate(([0], np.cumsum(standing)))
    offsets = before[lines.offsets]
    known = lines.owners >= 0
    owners = np.where(known, lines.owners + lines.offsets[:-1, np.newaxis], 0)
    places = before[owners] - offsets[:-1, np.newaxis]
    known &= places < _MOST_LINES
    hashes = np.concatenate(([0], np.cumsum(known.sum(axis=1))))
    words = np.minimum(lines.words[standing], _MOST_LINES).astype(np.uint8)
    columns = {
        "article_key": batch.column("article_key"),
        "source": batch.column("source"),
        "published_day": pa.array(lines.days, mask=lines.days == NO_DAY),
        "title": batch.column("title"),
        "agency_key": pa.array(lines.agencies),
        "line_keys": list_array(lines.keys[standing], offsets),
        "line_words": list_array(words, offsets),
        "sketch": list_array(lines.sketches[known], hashes),
        "sketch_lines": list_array(places[known].astype(np.uint8), hashes),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in LINES.names], schema=LINES)


def kept_lines(kept: pa.RecordBatch) -> ArticleLines:
    """Give what is known of articles of which earlier runs kept LINES rows."""
    keys, offsets = list_column(kept, "line_keys")
    words, _ = list_column(kept, "line_words")
    titles = headline_keys(kept.column("title"))
    texts = text_keys(offsets, keys, np.zeros(keys.size, np.bool_))
    # Every article has a line, if only one without a word.
    ends = np.repeat(offsets[1:], np.diff(offsets) == 0)
    keys, words = np.insert(keys, ends, 0), np.insert(words, ends, 0)
    lines = np.maximum(np.diff(offsets), 1)
    hashes, bounds = list_column(kept, "sketch")
    places, _ = list_column(kept, "sketch_lines")
    sizes = np.diff(bounds)
    # Whoever may write to the folder of an earlier run must not write to memory.
    if (sizes > SKETCH_SIZE).any() or (places >= np.repeat(lines, sizes)).any():
        raise ValueError(
            f"a sketch must hold at most {SKETCH_SIZE} hashes, of lines of its article"
        )
    sketches, owners = _sketches(hashes, bounds, places)
    return ArticleLines(
        articles=column(kept, "article_key"),
        sources=source_keys(kept.column("source")),
        days=kept.column("published_day").fill_null(NO_DAY).to_numpy().astype(np.int32),
        titles=titles,
        agencies=column(kept, "agency_key"),
        texts=texts,
        offsets=np.concatenate(([0], np.cumsum(lines))),
        keys=keys,
        words=words.astype(np.int32),
        by_rule=np.zeros(keys.size, np.bool_),
        sketches=sketches,
        owners=owners,
    )


@numba.njit(cache=True, nogil=True)
def _sketches(
    hashes: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    lines: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    sketches = np.full((offsets.size - 1, SKETCH_SIZE), _NONE, np.uint32)
    owners = np.full((offsets.size - 1, SKETCH_SIZE), -1, np.int32)
    for article in range(offsets.size - 1):
        start = offsets[article]
        for entry in range(offsets[article + 1] - start):
            sketches[article, entry] = hashes[start + entry]
            owners[article, entry] = lines[start + entry]
    return sketches, owners


def holders(
    kept: pa.RecordBatch,
    keys: npt.NDArray[np.uint64],
    known: pa.RecordBatch | None = None,
    *,
    most: int = MOST_HOLDERS,
    most_known: int = MOST_KNOWN_HOLDERS,
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Give the articles that share a line, title, agency or whole text with new ones.

    A slogan stands in every article of its source, and a few of them tell as much.

    Args:
      kept: LINES rows, ascending by article.
      keys: ascending. What new articles hold, as of `article_keys`.
      known: RECURRING rows of earlier runs, sorted; None for none.
      most: articles of a source that are given for a line, about: the earliest and the
        latest.
      most_known: the same of a line that is known to be furniture of the source.

    Returns:
      LINES rows of those articles, and LINE rows of some sources that are at hand.
    """
    own, offsets = list_column(kept, "line_keys")
    sources = source_keys(kept.column("source"))
    days = kept.column("published_day").fill_null(NO_DAY).to_numpy().astype(np.int64)
    chosen = np.zeros(kept.num_rows, np.bool_)
    # A whole text is met again only with all its lines.
    for held, of_article in (
        (own, np.repeat(np.arange(kept.num_rows), np.diff(offsets))),
        (headline_keys(kept.column("title")), np.arange(kept.num_rows)),
        (column(kept, "agency_key"), np.arange(kept.num_rows)),
    ):
        found = np.flatnonzero(among(held, keys))
        article = of_article[found]
        of_source = held[found] * _MULTIPLIER + sources[article]
        order = np.lexsort((days[article], of_source))
        grouped = of_source[order]
        first = np.searchsorted(grouped, grouped, side="left")
        last = np.searchsorted(grouped, grouped, side="right") - 1
        place = np.arange(grouped.size)
        enough = np.full(grouped.size, most // 2)
        if known is not None:
            rows = found[order]
            taken = is_recurring(known, sources[of_article[rows]], held[rows])
            enough[taken] = most_known // 2
        outer = np.minimum(place - first, last - place) < enough
        chosen[article[order][outer]] = True
    return kept.filter(pa.array(chosen)), observe_sources(kept)


def met_again(recurring: pa.RecordBatch, lines: ArticleLines) -> npt.NDArray[np.bool_]:
    """Tell what of all that recurs some articles hold, too: shape (k,).

    Args:
      recurring: k rows with the columns of RECURRING.
      lines: of the articles.
    """
    of_line = np.repeat(np.arange(lines.articles.size), np.diff(lines.offsets))
    standing = lines.standing
    keys = np.concatenate([lines.keys[standing], lines.titles])
    sources = np.concatenate([lines.sources[of_line[standing]], lines.sources])
    held = [keys * _MULTIPLIER + sources + kind for kind in _OF_SOURCE]
    for kind, of_any in (
        (ANY_SOURCE, keys),
        (WHOLE_TEXT, lines.texts),
        (BORNE_OUT, lines.texts),
        (AGENCY, lines.agencies),
    ):
        held.append(of_any * _MULTIPLIER + np.uint64(kind))
    own = column(recurring, "line_key") * _MULTIPLIER + column(recurring, "source_key")
    return np.isin(own, np.concatenate(held))


def held_keys(held: pa.RecordBatch, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Give the keys that earlier articles hold, too: ascending.

    Args:
      held: LINES rows.
      keys: ascending, as of `article_keys`.
    """
    found = article_keys(kept_lines(held))
    return np.unique(found[among(found, keys)])


def titles_by_text(held: pa.RecordBatch | None) -> dict[int, list[tuple[int, str | None]]]:
    """Give the key of each whole text -> keys and titles of the articles that had it.

    Args:
      held: LINES rows; None for none.
    """
    found: dict[int, list[tuple[int, str | None]]] = {}
    if held is not None:
        lines = kept_lines(held)
        for text, article, title in zip(
            lines.texts.tolist(),
            lines.articles.tolist(),
            held.column("title").to_pylist(),
            strict=True,
        ):
            found.setdefault(text, []).append((article, title))
    return found
