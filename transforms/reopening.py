"""Reopening: what shows only now to be furniture is taken off earlier articles, too.

A sign-in page that comes once in each of three runs shows in the third that it is one. By
then the first two were taken for copies of each other. So the copies of every earlier
article that holds what is found to recur are asked for again, of its text without that,
and copy groups come out as if all articles had come together. What is written of an
earlier article stays as it is: its text, and the story it is in.

What it loses: two earlier articles that are copies only without such lines and had so
little in common with them that they were no near miss are not compared again.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, with_column
from transforms.boilerplate import joined_recurring, known_lines
from transforms.candidates import PAIR
from transforms.line_memory import kept_lines
from transforms.line_words import hash_words
from transforms.lines import read_lines
from transforms.recurrence import (
    ANY_SOURCE,
    BORNE_OUT,
    HEADLINE,
    PROPER,
    WHOLE_TEXT,
    among,
    is_recurring,
    recurring_table,
    title_keys,
)
from transforms.surroundings import headline, known_reason
from transforms.titles import title_stems, title_support
from transforms.tokens import tokenize

Keys = npt.NDArray[np.uint64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Hindsight(NamedTuple):
    """What is known now of earlier articles.

    Attributes:
      recurring: RECURRING rows, sorted, of earlier runs and of this one.
      alien: ascending. Earlier articles whose whole text is furniture.
      borne_out: ascending. Those whose text is that of the title of one that has it, too.
      reopened: ascending. Those that hold what no earlier run took.
    """

    recurring: pa.RecordBatch
    alien: Keys
    borne_out: Keys
    reopened: Keys


def taken_lines(removed: pa.RecordBatch) -> Keys:
    """Give the keys of lines that went for what other articles say of them, ascending.

    Many a line recurs and stays for all that, as "The investigation is ongoing." does.

    Args:
      removed: REMOVED rows.
    """
    told = pc.is_in(removed.column("reason"), pa.array(["recurs", "related"]))
    keys, _ = title_keys(removed.column("line").filter(told))
    return np.unique(keys)


def hindsight(
    held: pa.RecordBatch,
    found: Iterable[pa.RecordBatch],
    taken: Iterable[Keys],
    known: pa.RecordBatch | None = None,
) -> Hindsight:
    """Find what shows only now of earlier articles.

    Args:
      held: LINES rows of earlier articles that share a line with a new one.
      found: RECURRING rows that were learnt of these and of the new ones.
      taken: as of `taken_lines`, what went from the new ones.
      known: RECURRING rows of earlier runs; None for none.
    """
    recurring = joined_recurring([*found])
    nothing = recurring_table(np.zeros((0, 2), np.uint64))
    known = nothing if known is None else known
    lines = kept_lines(held)
    of_line = np.repeat(np.arange(lines.articles.size), np.diff(lines.offsets))
    went = np.unique(np.concatenate([np.zeros(0, np.uint64), *taken]))
    rows = np.flatnonzero(among(lines.keys, went))
    of_line, keys = of_line[rows], lines.keys[rows]
    sources = lines.sources[of_line]

    def is_furniture(table: pa.RecordBatch) -> npt.NDArray[np.bool_]:
        result = is_recurring(table, np.full(sources.size, ANY_SOURCE, np.uint64), keys)
        for owner in (sources, sources + PROPER, sources + HEADLINE):
            result |= (sources != ANY_SOURCE) & is_recurring(table, owner, keys)
        return result & (keys != lines.titles[of_line])

    def is_whole(kind: int) -> npt.NDArray[np.bool_]:
        kinds = np.full(lines.texts.size, kind, np.uint64)
        return is_recurring(recurring, kinds, lines.texts)

    reopened = is_whole(WHOLE_TEXT) | is_whole(BORNE_OUT)
    reopened[of_line[is_furniture(recurring) & ~is_furniture(known)]] = True
    return Hindsight(
        joined_recurring([recurring, known]),
        *(
            np.sort(lines.articles[chosen])
            for chosen in (is_whole(WHOLE_TEXT), is_whole(BORNE_OUT), reopened)
        ),
    )


def stripped_again(
    articles: pa.RecordBatch,
    known: Hindsight,
    *,
    min_words: int = 25,
    alien_words: int = 300,
) -> pa.RecordBatch:
    """Take off earlier articles what shows only now to be furniture.

    Args:
      articles: n rows with `article_key`, `title`, `source`, `text`, `word_count` and
        `alien`, as they were written.
      known: what is known now.
      min_words: of fewer words nothing is left: it is nobody's copy.
      alien_words: a text of fewer words is alien if it holds no word of its title.

    Returns:
      The same rows with `is_amended`: the text is not as it was written.
    """
    lines = read_lines(articles.column("text"))
    flags = known_lines(articles, lines.offsets, hash_words(lines).keys, known.recurring)
    keys, words = column(articles, "article_key"), column(articles, "word_count").copy()
    borne_out = np.isin(keys, known.borne_out)
    alien = column(articles, "alien").astype(np.bool_) & ~borne_out
    titles = articles.column("title").to_pylist()
    amended = np.zeros(keys.size, np.bool_)
    texts: dict[int, str] = {}
    flagged = np.searchsorted(lines.offsets, np.flatnonzero(flags), side="right") - 1
    for row in np.unique(flagged).tolist():
        own = np.arange(lines.offsets[row], lines.offsets[row + 1])
        strings, title = lines.texts(own).to_pylist(), titles[row]
        left = [
            line
            for line, flag in zip(strings, flags[own].tolist(), strict=True)
            if not flag
            or not line
            or line.lower() == headline(title)
            or not known_reason(line, flag, title)
        ]
        if len(left) == len(strings):
            continue
        amended[row], texts[row] = True, "\n".join(left)
        words[row] = np.diff(tokenize(pa.array([texts[row]])).offsets)[0]
        if words[row] < min_words:
            texts[row] = ""
        elif words[row] < alien_words and not borne_out[row]:
            alien[row] |= title_support(title_stems(title), texts[row]) == 0
    alien |= np.isin(keys, known.alien)
    if amended.any():
        written = articles.column("text").to_pylist()
        now = [texts.get(row, text) for row, text in enumerate(written)]
        articles = with_column(articles, "text", pa.array(now, pa.string()))
    articles = with_column(articles, "word_count", pa.array(words, pa.int32()))
    articles = with_column(articles, "alien", pa.array(alien))
    return with_column(articles, "is_amended", pa.array(amended))


def pairs_to_ask_again(edges: pa.RecordBatch, known: Hindsight) -> pa.RecordBatch:
    """Give the pairs that earlier runs compared and that may come out otherwise now.

    Args:
      edges: schema COPY_EDGE, at least.
      known: what is known now.

    Returns:
      Schema PAIR, ascending.
    """
    ends = np.stack([column(edges, name) for name in PAIR.names], axis=1)
    asked = np.isin(ends, known.reopened).any(axis=1)
    return _pairs(ends[asked])


def pairs_otherwise(
    asked: pa.RecordBatch, new: pa.RecordBatch, old: pa.RecordBatch
) -> pa.RecordBatch:
    """Give the pairs that were asked again and have another relation now, or none.

    Args:
      asked: schema PAIR, ascending.
      new: schema COPY_EDGE, at least, of this run.
      old: schema COPY_EDGE, at least, of earlier runs.

    Returns:
      Schema PAIR, ascending.
    """
    relations: list[dict[int, str | None]] = []
    for edges in (new, old):
        edges = edges.filter(pa.array(are_among(edges, asked)))
        told = edges.column("relation").to_pylist()
        relations.append(dict(zip(pair_keys(edges).tolist(), told, strict=True)))
    now, before = relations
    otherwise = [now.get(pair) != before.get(pair) for pair in pair_keys(asked).tolist()]
    return asked.filter(pa.array(otherwise, pa.bool_()))


def are_among(edges: pa.RecordBatch, pairs: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """Tell which edges are of one of the pairs: shape (n,).

    Args:
      edges: n rows with the columns of PAIR, the ends in any order.
      pairs: schema PAIR, or edges.
    """
    if not pairs.num_rows:
        return np.zeros(edges.num_rows, np.bool_)
    return np.isin(pair_keys(edges), pair_keys(pairs))


def parted(edges: pa.RecordBatch) -> pa.RecordBatch:
    """Give edges that are none any more: schema as given, no relation, nothing shared."""
    gone = with_column(edges, "relation", pa.nulls(edges.num_rows, pa.string()))
    nothing = pa.array(np.zeros(edges.num_rows, np.float32))
    return with_column(gone, "containment", nothing)


def pair_keys(pairs: pa.RecordBatch) -> Keys:
    """Give one key of both ends, whatever their order."""
    one, other = (column(pairs, name) for name in PAIR.names)
    low, high = np.minimum(one, other), np.maximum(one, other)
    return np.asarray(low * _MULTIPLIER + high, np.uint64)


def _pairs(ends: Keys) -> pa.RecordBatch:
    ends = np.unique(np.sort(ends, axis=1), axis=0) if len(ends) else ends
    return pa.RecordBatch.from_arrays(
        [pa.array(np.ascontiguousarray(ends[:, side])) for side in range(2)], schema=PAIR
    )
