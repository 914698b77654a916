"""The first screen of the report: what a run found, counted from its tables.

Plain numbers and texts, ready to be written as JSON: how many articles, copies, stories and
sources, who copies whom, which stories are the largest and which went round fastest, what
each source lost to furniture, and why rows were rejected.
"""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.speakers import COPY_RELATIONS, is_credited

# Somebody else's words: told apart from one's own report of the same event.
BORROWED = (*COPY_RELATIONS, "wire_rewrite")

# A story is fast by the time that it takes to reach so many sources.
_FAST_SOURCES = 3
_LISTED = 10
_DAY = 24 * 60

# An article of which this many words went and fewer than the least words stayed is wiped
# out, and so is a source of which half the words, or a quarter of the articles, went so.
_WIPED_WORDS = 50
_ALARM_SHARE = 0.5
_ALARM_ARTICLES = 0.25

_EXAMPLES = 5


def overview(
    articles: pa.Table, stories: pa.Table, rejects: pa.Table, *, min_words: int
) -> dict[str, Any]:
    """Count what a run found.

    Args:
      articles: rows of articles/, story by story in the order of `stories`, the canonical
        article of each first.
      stories: rows of stories/, the largest first.
      rejects: rows of rejects/.
      min_words: an article of fewer words tells of no event.

    Returns:
      `counts`, `copies`, `credits`, `largest`, `fastest`, `furniture` and `rejects`, of
      plain values. Stories are named by their row in `stories`, sources by name, and a
      source that is not known is null.
    """
    return {
        "counts": _counts(articles, stories, rejects),
        "copies": _copies(articles),
        "credits": _credits(articles),
        "largest": _largest(stories),
        "fastest": fastest_stories(articles, stories),
        "furniture": furniture_by_source(articles, min_words=min_words),
        "rejects": _rejects(rejects),
    }


def minutes(times: pa.ChunkedArray) -> list[int | None]:
    """Give times as minutes since 1970, UTC; null stays null."""
    whole = pc.floor(pc.divide(pc.cast(times.cast(pa.int64()), pa.float64()), 60e6))
    return pc.cast(whole, pa.int64()).to_pylist()


def _counts(articles: pa.Table, stories: pa.Table, rejects: pa.Table) -> dict[str, Any]:
    relations = collections.Counter(articles["relation"].to_pylist())
    dated = [minute for minute in minutes(articles["published_at"]) if minute is not None]
    named = {source for source in articles["source"].to_pylist() if source}
    sizes = stories["article_count"].to_numpy()
    return {
        "articles": articles.num_rows,
        "copies": sum(relations[name] for name in COPY_RELATIONS),
        "rewrites": relations["wire_rewrite"],
        "stories": stories.num_rows,
        "stories_of_several": int((sizes > 1).sum()),
        "sources": len(named),
        "independent_sources": len(_independent_sources(articles)),
        "rejects": rejects.num_rows,
        "words": int(articles["word_count"].to_numpy().sum()),
        "removed_words": int(articles["removed_word_count"].to_numpy().sum()),
        "undated": articles.num_rows - len(dated),
        "first": min(dated, default=None),
        "last": max(dated, default=None),
        "relations": dict(relations),
    }


def _independent_sources(articles: pa.Table) -> set[str]:
    """Give the sources with a text of their own: neither borrowed nor credited away."""
    return {
        source
        for source, relation, credited in zip(
            articles["source"].to_pylist(),
            articles["relation"].to_pylist(),
            articles["credited_source"].to_pylist(),
            strict=True,
        )
        if source
        and relation not in BORROWED
        and (not credited or is_credited(source, credited))
    }


def _copies(articles: pa.Table) -> list[dict[str, Any]]:
    """Count, for each two sources, the articles of one that stand as copies of the other's.

    What a source copies from itself is counted, too. Most copies first.
    """
    sources = articles["source"].to_pylist()
    row_of = {
        article: row for row, article in enumerate(articles["article_id"].to_pylist())
    }
    found: dict[tuple[str | None, str | None], collections.Counter[str]] = (
        collections.defaultdict(collections.Counter)
    )
    for source, relation, matched in zip(
        sources,
        articles["relation"].to_pylist(),
        articles["matched_article_id"].to_pylist(),
        strict=True,
    ):
        if relation in BORROWED:
            found[source, sources[row_of[matched]]][relation] += 1
    pairs = [
        {"copier": copier, "original": original, "relations": dict(relations)}
        for (copier, original), relations in found.items()
    ]
    return sorted(
        pairs,
        key=lambda pair: (
            -sum(pair["relations"].values()),
            pair["original"] or "",
            pair["copier"] or "",
        ),
    )


def _credits(articles: pa.Table) -> list[dict[str, Any]]:
    """Count the articles that credit an agency or another outlet, by that name."""
    counted = collections.Counter(
        credited
        for source, credited in zip(
            articles["source"].to_pylist(),
            articles["credited_source"].to_pylist(),
            strict=True,
        )
        if credited and not is_credited(source, credited)
    )
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "articles": count} for name, count in ranked[:_LISTED]]


def _largest(stories: pa.Table) -> list[int]:
    sizes = stories["article_count"].to_pylist()
    return [row for row, size in enumerate(sizes[:_LISTED]) if size > 1]


def fastest_stories(articles: pa.Table, stories: pa.Table) -> list[dict[str, Any]]:
    """Give the stories that reached three named sources in the shortest time.

    An article dated to midnight is dated to the day, and counts for nothing here.

    Returns:
      `story`, its row in `stories`, and `minutes` from the first source's report to the
      third's; the fastest first, ten at most.
    """
    times = minutes(articles["published_at"])
    sources = articles["source"].to_pylist()
    found = []
    start = 0
    for story, size in enumerate(stories["article_count"].to_pylist()):
        first: dict[str, int] = {}
        for row in range(start, start + size):
            time, source = times[row], sources[row]
            if source and time is not None and time % _DAY:
                first[source] = min(time, first.get(source, time))
        start += size
        if len(first) >= _FAST_SOURCES:
            reached = sorted(first.values())
            found.append((reached[_FAST_SOURCES - 1] - reached[0], story))
    found.sort()
    return [{"story": story, "minutes": taken} for taken, story in found[:_LISTED]]


def furniture_by_source(articles: pa.Table, *, min_words: int) -> list[dict[str, Any]]:
    """Say what share of its words each source lost to furniture.

    Returns:
      A row a source, those with an alarm by what they lost, the others by share:
      `articles`, `words` that stayed, `removed` words, `wiped` articles, which lost fifty
      words or more and kept fewer than `min_words`, and `alarm`: half of the words went,
      or a quarter of the articles are wiped out.
    """
    words = articles["word_count"].to_numpy()
    removed = articles["removed_word_count"].to_numpy()
    wiped = (removed >= _WIPED_WORDS) & (words < min_words)
    rows_of: dict[str | None, list[int]] = collections.defaultdict(list)
    for row, source in enumerate(articles["source"].to_pylist()):
        rows_of[source].append(row)
    found = []
    for source, rows in rows_of.items():
        kept, lost = int(words[rows].sum()), int(removed[rows].sum())
        gone = int(np.count_nonzero(wiped[rows]))
        too_much = lost >= _WIPED_WORDS and lost >= _ALARM_SHARE * (kept + lost)
        found.append(
            {
                "source": source,
                "articles": len(rows),
                "words": kept,
                "removed": lost,
                "wiped": gone,
                "alarm": too_much or gone >= max(1, _ALARM_ARTICLES * len(rows)),
            }
        )
    return sorted(found, key=_by_what_was_lost)


def _by_what_was_lost(row: dict[str, Any]) -> tuple[Any, ...]:
    if row["alarm"]:
        return (0, -row["wiped"], -row["removed"], row["source"] or "")
    total = row["words"] + row["removed"]
    return (1, -row["removed"] / total if total else 0, 0, row["source"] or "")


def _rejects(rejects: pa.Table) -> list[dict[str, Any]]:
    """Count rejected rows by reason, with a few of each; most first."""
    by_reason: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    names: Sequence[str] = ("file", "position", "article_id", "detail")
    for row in rejects.to_pylist():
        by_reason[row["reason"]].append({name: row[name] for name in names})
    return [
        {"reason": reason, "count": len(rows), "examples": rows[:_EXAMPLES]}
        for reason, rows in sorted(
            by_reason.items(), key=lambda item: (-len(item[1]), item[0])
        )
    ]
