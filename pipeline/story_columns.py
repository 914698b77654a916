"""What the report page holds of every article and story, packed to be small.

A table travels as columns, which repeat themselves and so compress well; texts and evidence
travel in parts of a few hundred articles, each of which the page unpacks when a story of it
is opened.
"""

import base64
import collections
import gzip
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.overview import BORROWED, minutes
from schemas.story import RELATIONS

# A longer text is cut, and the page says so.
TEXT_CHARACTERS = 20_000

# Comparisons shown of an article at most, as `newsdedup show` does.
COMPARISONS = 12

# Removed lines listed of a source at most, the commonest.
LINES = 40

# A part is packed when it holds about so many characters; so many of them a comparison.
_PART_CHARACTERS = 1_000_000
_COMPARISON_CHARACTERS = 60

# What packing leaves of them at most: of texts of most languages, and of comparisons.
_TEXT_PACKED = 0.6
_COMPARISON_PACKED = 15
_HEADLINE_CHARACTERS = 100
_SCORES = ("jaccard", "containment", "cosine", "story_score")
_LAST_IN_UTF16_UNIT = "\uffff"


class Parts(NamedTuple):
    """Texts and evidence of all stories.

    Attributes:
      parts: each as `pack` gives it.
      part_of: int64, shape (s,). The part of each story, -1 where there is none.
      texts: articles whose text is held.
      cut: of these, the ones whose text was cut.
      comparisons: pairs whose evidence is held.
    """

    parts: list[str]
    part_of: npt.NDArray[np.int64]
    texts: int
    cut: int
    comparisons: int


def pack(value: Any) -> str:
    """Give a value as JSON, compressed by gzip, in base64: no character of it is markup."""
    return base64.b64encode(gzip.compress(orjson.dumps(value), 6, mtime=0)).decode()


def in_story_order(stories: pa.Table, articles: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Order stories by size and time, and articles by story, the canonical ones first.

    Raises:
      ValueError: if the members of the stories are not the articles.
    """
    stories = stories.sort_by(
        [
            ("article_count", "descending"),
            ("first_published_at", "ascending"),
            ("story_id", "ascending"),
        ]
    )
    members = pc.struct_field(pc.list_flatten(stories["members"]), "article_id")
    rows = pc.index_in(members, articles["article_id"].combine_chunks())
    if rows.null_count or len(rows) != articles.num_rows:
        raise ValueError(
            f"the members of all stories must be the articles, got {len(rows):,} members, "
            f"{rows.null_count:,} of them unknown, and {articles.num_rows:,} articles"
        )
    return stories, articles.take(rows)


def source_names(articles: pa.Table, boilerplate: pa.Table) -> list[str]:
    """Give the names of all sources that are known, in their order."""
    names = {*articles["source"].to_pylist(), *boilerplate["source"].to_pylist()}
    return sorted(name for name in names if name is not None)


def article_columns(articles: pa.Table, sources: Sequence[str]) -> dict[str, list[Any]]:
    """Give what lists and charts need of every article, by column.

    Scores are hundredths, times minutes since 1970. `relation`, `source` and `matched` are
    places in RELATIONS, `sources` and the rows; -1 where there is none.
    """
    ids = articles["article_id"]
    place = {name: number for number, name in enumerate(sources)}
    relation = {name: number for number, name in enumerate(RELATIONS)}
    matched = pc.fill_null(
        pc.index_in(articles["matched_article_id"], ids.combine_chunks()), -1
    )
    return {
        "id": ids.to_pylist(),
        "title": list(_headlines(articles)),
        "source": [place.get(name, -1) for name in articles["source"].to_pylist()],
        "minute": minutes(articles["published_at"]),
        "relation": [relation[name] for name in articles["relation"].to_pylist()],
        "matched": matched.to_pylist(),
        **{name: _hundredths(articles[name]) for name in _SCORES},
        "url": articles["url"].to_pylist(),
        "language": articles["language"].to_pylist(),
        "words": articles["word_count"].to_pylist(),
        "removed": articles["removed_word_count"].to_pylist(),
        "credited": articles["credited_source"].to_pylist(),
        "alien": [int(alien) for alien in articles["alien"].to_pylist()],
    }


def story_columns(stories: pa.Table) -> dict[str, list[Any]]:
    """Give what lists need of every story, by column; its articles follow one another."""
    return {
        "id": stories["story_id"].to_pylist(),
        "title": stories["title"].to_pylist(),
        "reason": stories["canonical_reason"].to_pylist(),
        "articles": stories["article_count"].to_pylist(),
        "sources": stories["source_count"].to_pylist(),
        "independent": stories["independent_count"].to_pylist(),
        "first": minutes(stories["first_published_at"]),
        "last": minutes(stories["last_published_at"]),
        "keywords": stories["keywords"].to_pylist(),
    }


def removed_lines(
    boilerplate: pa.Table, articles: pa.Table, sources: Sequence[str]
) -> list[list[Any]]:
    """Give what was removed, by source: the commonest lines and how much else.

    Returns:
      One entry a source in the order of `sources`, and a last one for articles without a
      source: its lines, each with its reason, its articles, its words and the row of an
      article that had it; and the number of lines left out.
    """
    counted: dict[tuple[str | None, str, str], list[Any]] = {}
    for row in boilerplate.to_pylist():
        key = (row["source"], row["reason"], row["line"])
        entry = counted.setdefault(key, [0, 0, row["example_article_id"]])
        entry[0] += row["article_count"]
        entry[1] += row["removed_word_count"]
    row_of = {
        article: row for row, article in enumerate(articles["article_id"].to_pylist())
    }
    by_source: dict[str | None, list[list[Any]]] = collections.defaultdict(list)
    for (source, reason, line), (found_in, words, example) in counted.items():
        by_source[source].append([reason, line, found_in, words, row_of.get(example, -1)])
    found = []
    for source in (*sources, None):
        lines = sorted(by_source[source], key=lambda entry: (-entry[2], entry[1]))
        found.append([lines[:LINES], max(0, len(lines) - LINES)])
    return found


def story_parts(
    stories: pa.Table, articles: pa.Table, matches: pa.Table, *, characters: int
) -> Parts:
    """Pack texts and evidence of the stories, those with copies first.

    Args:
      stories: in their order.
      articles: story by story, with `text`.
      matches: rows of matches/.
      characters: of all parts together; where they are used up, texts are left out.
    """
    sizes = stories["article_count"].to_numpy()
    starts = np.concatenate(([0], np.cumsum(sizes)))
    borrowed = pc.is_in(articles["relation"], pa.array(BORROWED)).to_numpy()
    with_copies = np.add.reduceat(borrowed, starts[:-1]) > 0 if sizes.size else borrowed
    order = np.lexsort((np.arange(sizes.size), -np.minimum(sizes, 2), ~with_copies))
    evidence = _evidence(stories, articles, matches, starts)
    texts = articles["text"]
    parts: list[str] = []
    part_of = np.full(sizes.size, -1, np.int64)
    held = cut = spent = weight = comparisons = 0
    to_come = sum(map(len, evidence.values()))
    waiting: dict[str, Any] = {}
    for story in order.tolist():
        entry: dict[str, Any] = {}
        start, stop = int(starts[story]), int(starts[story + 1])
        if spent + _TEXT_PACKED * weight + _COMPARISON_PACKED * to_come < characters:
            whole = [texts[row].as_py() for row in range(start, stop)]
            entry["texts"] = [text[:TEXT_CHARACTERS] for text in whole]
            entry["lengths"] = [len(text) for text in whole]
            held += len(whole)
            cut += sum(len(text) > TEXT_CHARACTERS for text in whole)
            weight += sum(map(len, entry["texts"]))
        if rows := evidence.get(story):
            entry["matches"] = {name: [row[name] for row in rows] for name in rows[0]}
            # A pair of two stories stands with both, and counts with its first.
            comparisons += sum(start <= row["a"] < stop for row in rows)
            to_come -= len(rows)
            weight += _COMPARISON_CHARACTERS * len(rows)
        if entry:
            part_of[story] = len(parts)
            waiting[str(story)] = entry
        if weight >= _PART_CHARACTERS:
            parts.append(pack(waiting))
            spent += len(parts[-1])
            waiting, weight = {}, 0
    if waiting:
        parts.append(pack(waiting))
    return Parts(parts, part_of, held, cut, comparisons)


def _evidence(
    stories: pa.Table,
    articles: pa.Table,
    matches: pa.Table,
    starts: npt.NDArray[np.int64],
) -> dict[int, list[dict[str, Any]]]:
    """Give the comparisons of each story's articles, at most so many an article.

    A pair of two stories stands with both. Passages are offsets into texts as JavaScript
    counts them, in units of UTF-16.
    """
    ids = articles["article_id"].combine_chunks()
    left = pc.index_in(matches["article_id"], ids)
    right = pc.index_in(matches["matched_article_id"], ids)
    known = pc.and_(pc.is_valid(left), pc.is_valid(right))
    matches = matches.filter(known)
    pairs = np.stack(
        [
            pc.drop_null(side).to_numpy()
            for side in (left.filter(known), right.filter(known))
        ],
        axis=1,
    ).astype(np.int64)
    closest = _closest(articles, matches, pairs)
    story_of = np.repeat(np.arange(stories.num_rows), np.diff(starts))
    found: dict[int, list[dict[str, Any]]] = collections.defaultdict(list)
    texts = articles["text"]
    rows = matches.take(pa.array(closest)).to_pylist()
    for (one, other), row in zip(pairs[closest].tolist(), rows, strict=True):
        entry = {
            "a": one,
            "b": other,
            "copy": int(row["question"] == "copy"),
            "accepted": int(row["accepted"]),
            "rule": row["rule"],
            **{name: _hundredth(row[name]) for name in _SCORES},
            "passages": _utf16_passages(row["passages"], texts, one, other),
        }
        for story in {int(story_of[one]), int(story_of[other])}:
            found[story].append(entry)
    return found


def _closest(
    articles: pa.Table, matches: pa.Table, pairs: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Choose the rows that are among the closest of one of their two articles.

    The pair by which an article stands where it is comes first, then copies, then scores.
    """
    matched = articles["matched_article_id"]
    ids = articles["article_id"].combine_chunks()
    towards = pc.fill_null(pc.index_in(matched, ids), -1).to_numpy()
    telling = (towards[pairs[:, 0]] == pairs[:, 1]) | (towards[pairs[:, 1]] == pairs[:, 0])
    copy = pc.equal(matches["question"], "copy").to_numpy()
    closeness = np.nan_to_num(
        np.fmax(
            matches["containment"].to_numpy(zero_copy_only=False),
            matches["story_score"].to_numpy(zero_copy_only=False),
        ).astype(np.float64)
    )
    chosen = np.zeros(matches.num_rows, np.bool_)
    for side in pairs.T:
        order = np.lexsort((-closeness, ~copy, ~telling, side))
        ordered = side[order]
        first = np.searchsorted(ordered, ordered, side="left")
        chosen[order[np.arange(order.size) - first < COMPARISONS]] = True
    chosen |= telling
    return np.flatnonzero(chosen)


def _utf16_passages(
    passages: Sequence[Mapping[str, int]], texts: pa.ChunkedArray, one: int, other: int
) -> list[int]:
    """Give start, end, matched start and matched end of each, one after the other."""
    flat = [
        passage[name]
        for passage in passages
        for name in ("start", "end", "matched_start", "matched_end")
    ]
    if not flat:
        return flat
    for row, place in ((one, 0), (other, 2)):
        text = texts[row].as_py()
        if not text.isascii() and max(text) > _LAST_IN_UTF16_UNIT:
            beyond = np.cumsum([0] + [letter > _LAST_IN_UTF16_UNIT for letter in text])
            for first in range(place, len(flat), 4):
                for at in (first, first + 1):
                    flat[at] += int(beyond[min(flat[at], len(text))])
    return flat


def _headlines(articles: pa.Table) -> Iterator[str]:
    """Give the title of each article, or the first words of a text without one."""
    for title, text in zip(articles["title"], articles["text"], strict=True):
        written = title.as_py()
        if not written:
            first = " ".join(text.as_py()[: 4 * _HEADLINE_CHARACTERS].split())
            written = first[:_HEADLINE_CHARACTERS].rstrip()
            written += "…" if len(first) > len(written) else ""
        yield written


def _hundredths(column: pa.ChunkedArray) -> list[int | None]:
    return [_hundredth(value) for value in column.to_pylist()]


def _hundredth(value: float | None) -> int | None:
    return None if value is None else round(100 * value)
