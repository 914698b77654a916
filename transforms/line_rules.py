"""Line rules: what every line says of itself, found once for all that ask.

Two stages need it of every article, one to learn what recurs and one to strip. So it is
found before both and carried along, as columns of the batch: for each line the rule that
takes it, the hints of what else to ask, the hash and the number of its words; for each
article a sketch of its lines and the agency in its dateline.
"""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import list_array, list_column, with_column
from transforms.credits import dateline_name, names_rights
from transforms.furniture import LONGEST_LINE, REASONS, line_reason
from transforms.line_contexts import SKETCH_SIZE, article_sketches
from transforms.line_hints import RIGHTS, SUSPECT, line_hints
from transforms.line_signs import CLOSING, DASH
from transforms.line_words import hash_words
from transforms.lines import read_lines

# Code of a reason: one more than its place; 0 for a line of the article. The last ones no
# line has of itself: its source repeats it, the page does, it is not of the page's article.
ALL_REASONS = (*REASONS, "recurs", "repeat", "page")
CODES: dict[str | None, int] = {
    None: 0,
    **{reason: code for code, reason in enumerate(ALL_REASONS, 1)},
}
DECODED = (None, *ALL_REASONS)


class RuledLines(NamedTuple):
    """What is known of the m lines of n articles.

    Attributes:
      offsets: int64, shape (n + 1,). Text i owns lines offsets[i] to offsets[i + 1].
      rules: uint8, shape (m,). Code of the reason a line has of itself.
      hints: uint8, shape (m,), as of `line_hints`, and RIGHTS.
      keys: uint64, shape (m,). Equal for lines of the same words when case, marks and
        numbers are ignored; 0 for a line without a word.
      words: int32, shape (m,).
      sketches: uint32, shape (n, SKETCH_SIZE), as of `article_sketches`.
      owners: int32, shape (n, SKETCH_SIZE), as of `article_sketches`.
      datelines: n names of agencies, null for none.
    """

    offsets: npt.NDArray[np.int64]
    rules: npt.NDArray[np.uint8]
    hints: npt.NDArray[np.uint8]
    keys: npt.NDArray[np.uint64]
    words: npt.NDArray[np.int32]
    sketches: npt.NDArray[np.uint32]
    owners: npt.NDArray[np.int32]
    datelines: pa.Array


def rule_lines(articles: pa.RecordBatch) -> pa.RecordBatch:
    """Give ARTICLE rows with columns for all of `RuledLines`."""
    ruled = read_rules(articles.column("text"), articles.column("title"))
    for name, values in (
        ("line_rules", ruled.rules),
        ("line_hints", ruled.hints),
        ("line_keys", ruled.keys),
        ("line_words", ruled.words),
    ):
        articles = with_column(articles, name, list_array(values, ruled.offsets))
    articles = with_column(articles, "sketch", ruled.sketches)
    articles = with_column(articles, "sketch_owner", ruled.owners)
    return with_column(articles, "dateline", ruled.datelines)


def ruled_lines(articles: pa.RecordBatch) -> RuledLines:
    """Give what is known of the lines of a batch: as carried along, or found now."""
    if "line_rules" not in articles.schema.names:
        articles = rule_lines(articles)
    rules, offsets = list_column(articles, "line_rules")
    hints, keys, words = (
        list_column(articles, name)[0] for name in ("line_hints", "line_keys", "line_words")
    )
    sketches, owners = (
        articles.column(name).flatten().to_numpy().reshape(-1, SKETCH_SIZE)
        for name in ("sketch", "sketch_owner")
    )
    datelines = articles.column("dateline")
    return RuledLines(offsets, rules, hints, keys, words, sketches, owners, datelines)


def read_rules(texts: pa.Array, titles: pa.Array) -> RuledLines:
    """Find what the lines of texts say of themselves.

    Args:
      texts: n of them, without null.
      titles: of the texts.
    """
    lines = read_lines(texts)
    words = hash_words(lines)
    hints = line_hints(lines, words, titles)
    rules = np.zeros(hints.size, np.uint8)
    rules[lines.chars == 0] = CODES["mark"]
    suspects = np.flatnonzero(hints & SUSPECT)
    found = np.array(
        [_read_line(line) for line in lines.texts(suspects).to_pylist()], np.uint16
    )
    rules[suspects] = found & 0xFF
    hints[suspects] |= (found >> 8).astype(np.uint8)
    sketches, owners = article_sketches(
        lines.offsets, words.keys, words.hashes, words.offsets, rules > 0
    )
    named: list[str | None] = [None] * len(texts)
    closed = np.flatnonzero((lines.signs & CLOSING > 0) & (lines.signs & DASH > 0))
    for text in np.unique(np.searchsorted(lines.offsets, closed, side="right") - 1):
        named[text] = dateline_name(texts[text].as_py())
    return RuledLines(
        offsets=lines.offsets,
        rules=rules,
        hints=hints,
        keys=words.keys,
        words=words.counts,
        sketches=sketches,
        owners=owners,
        datelines=pa.array(named, pa.string()),
    )


def _read_line(line: str) -> int:
    """Give the code of a line's reason, and RIGHTS above it."""
    # What is remembered of lines is bounded by their number, so it must be by their length.
    read = _read_short_line if len(line) <= LONGEST_LINE else _read_short_line.__wrapped__
    return read(line)


# A quarter of the lines of scraped pages have been seen before, nearly all of them short.
@functools.lru_cache(maxsize=1 << 16)
def _read_short_line(line: str) -> int:
    return CODES[line_reason(line)] | (RIGHTS << 8 if names_rights(line) else 0)
