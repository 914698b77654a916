"""Micro-batches: the articles of a language that came within a few minutes, placed at once.

A stream is cut into windows of time, five minutes by default. When a window is over, its
articles go through the stages of a batch run, beside what is remembered of those that came
before. So what becomes of an article does not depend on the order within its window, nor
on how messages were bundled on their way. An article that comes late is placed with the
window that is open.

What recurs at a source is learnt of the articles of a window and of those remembered.
"""

import dataclasses
import datetime
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.article import RECEIVED, REJECT
from schemas.batch import column, concatenate
from schemas.past import KEYS, STANDING
from schemas.story import LINES
from transforms.assigning import AssigningRules, assign
from transforms.boilerplate import joined_recurring, learn_recurring, strip_batch
from transforms.fingerprint import FingerprintArticles
from transforms.line_memory import holders, lines_to_keep
from transforms.line_rules import rule_lines, ruled_lines
from transforms.main_content import page_model
from transforms.past import LEAST_ARTICLES, id_keys
from transforms.recurrence import (
    article_keys,
    article_lines,
    recurring_table,
    remembered_lines,
)
from transforms.remembering import NO_PAST, Past, forget, only_new, refusals
from transforms.removals import summarise_removed
from transforms.reopening import hindsight, taken_lines
from transforms.windows import (
    COUNTED,
    Window,
    read_windows,
    remove_unfinished,
    window_end,
    window_label,
    window_sequence,
    windows_written,
)

_SECONDS_A_DAY = 86_400


@dataclasses.dataclass(frozen=True)
class StreamRules:
    """How the articles of a stream are placed.

    Attributes:
      fingerprint: as of a batch run.
      assigning: see there.
      thin_words: a text of fewer words is thin.
      page_model_folder: of what finds the article in a whole page.
      known: RECURRING rows, what is furniture from the first article on.
      window_seconds: articles that come within it are placed at once.
      lookback: days that an article is remembered.
      least: articles of a language that are remembered however old they are; fewer do
        not tell which reports are alike for what they tell.
      most: articles of a language that are remembered at most.
    """

    fingerprint: FingerprintArticles
    assigning: AssigningRules
    thin_words: int
    page_model_folder: str
    known: pa.RecordBatch
    window_seconds: int = 300
    lookback: float = 7.0
    least: int = LEAST_ARTICLES
    most: int = 100_000


class Memory(NamedTuple):
    """What is remembered of a language.

    Attributes:
      past: its articles.
      recurring: RECURRING rows that were learnt of them.
      refused: keys of the rejects, ascending; KEYS rows.
      sequence: windows that were placed.
    """

    past: Past
    recurring: pa.RecordBatch
    refused: pa.RecordBatch
    sequence: int


NO_MEMORY = Memory(
    NO_PAST,
    recurring_table(np.zeros((0, 2), np.uint64)),
    pa.RecordBatch.from_pylist([], schema=KEYS),
    0,
)


def place_window(
    waiting: Iterable[pa.RecordBatch],
    memory: Memory,
    rules: StreamRules,
    language: str,
    end: datetime.datetime,
) -> tuple[Window, Memory]:
    """Place the articles of a window; give it, and what is remembered then.

    Args:
      waiting: batches of ARTICLE rows, with the columns of `rule_lines` or without, and
        of REJECT rows.
      memory: what is remembered of their language.
      rules: how.
      language: key that they came by.
      end: of the window.
    """
    batches = list(waiting)
    rejects = [batch for batch in batches if batch.schema.names == REJECT.names]
    came = [
        batch if "line_rules" in batch.schema.names else rule_lines(batch)
        for batch in batches
        if batch.schema.names != REJECT.names
    ]
    label = window_label(end, memory.sequence + 1)
    tables: dict[str, pa.RecordBatch] = {}
    counts = dict.fromkeys(COUNTED, 0)
    past, recurring = memory.past, memory.recurring
    if came:
        arrived = concatenate(came, came[0].schema)
        new, again, counts["repeated"] = only_new(arrived, past)
        rejects.append(refusals(again))
        if new.num_rows:
            ruled = ruled_lines(new)
            known = joined_recurring([recurring, rules.known])
            lines = past.lines.sort_by("article_key")
            found = learn_recurring([new], earlier=lines, known=known)
            recurring = joined_recurring([recurring, found])
            cleaned, removed = strip_batch(
                new,
                joined_recurring([recurring, rules.known]),
                thin_words=rules.thin_words,
                page_model=page_model(rules.page_model_folder),
            )
            keys = np.unique(article_keys(article_lines(new, ruled)))
            held, _ = holders(lines, keys, known)
            assigned = assign(
                rules.fingerprint.fingerprint(cleaned),
                past,
                rules.assigning,
                label,
                hindsight(held, [found], [taken_lines(removed)], known),
            )
            tables["lines"] = lines_to_keep(new, ruled)
            past = assigned.past._replace(
                lines=concatenate([past.lines, tables["lines"]], LINES)
            )
            tables |= assigned.tables
            tables["boilerplate"] = summarise_removed(removed, label)
            tables["placements"] = assigned.placed
            counts |= {"placed": new.num_rows, "embedded": assigned.embedded}
    refused, first = _first_refused(concatenate(rejects, REJECT), memory.refused)
    if came:
        keys, rows = np.unique(row_keys(again), return_index=True)
        kept = np.sort(rows[np.isin(keys, row_keys(first))])
        received = concatenate([new, again.take(pa.array(kept))], new.schema)
        tables["raw"] = _received(received, label)
    tables["rejects"] = first
    counts["rejected"] = first.num_rows
    # A late window takes nobody back in time.
    newest = pc.max(memory.past.articles.column("run_id")).as_py() or label
    last = max(end, window_end(newest))
    oldest = window_label(last - datetime.timedelta(days=rules.lookback), 0)
    kept_past = forget(past, before=oldest, least=rules.least, most=rules.most)
    repeated = _standing_still(past, kept_past, newest, label, rules.lookback)
    if repeated.num_rows:
        placed = tables.get("placements", NO_PAST.standings)
        known = np.isin(column(repeated, "article_key"), column(placed, "article_key"))
        others = repeated.filter(pa.array(~known))
        tables["placements"] = concatenate([placed, others], STANDING)
    counts["forgotten"] = past.articles.num_rows - kept_past.articles.num_rows
    counts["remembered_articles"] = kept_past.articles.num_rows
    counts["remembered_bytes"] = sum(
        batch.nbytes for batch in (*kept_past, recurring, refused)
    )
    return (
        Window(language, label, tables, counts),
        Memory(kept_past, recurring, refused, memory.sequence + 1),
    )


def _standing_still(
    placed: Past, kept: Past, newest: str, label: str, lookback: float
) -> pa.RecordBatch:
    """Give rows of forgotten articles that are to be written again: STANDING.

    A job that begins anew reads what was written within the lookback. So where a forgotten
    article stands is written once more when it is forgotten, and twice in that time as long
    as one of its story is remembered.

    Args:
      placed: what is remembered with the articles of this window.
      kept: what is remembered from now on.
      newest: label of the newest window that was remembered.
      label: of this window.
      lookback: days.
    """
    keys = column(kept.standings, "article_key")
    wanted = ~np.isin(keys, column(kept.articles, "article_key"))
    half = lookback * _SECONDS_A_DAY / 2
    before, now = (window_end(one).timestamp() // half for one in (newest, label))
    if before >= now:
        wanted &= np.isin(keys, column(placed.articles, "article_key"))
    return kept.standings.filter(pa.array(wanted))


def row_keys(rows: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """Give the key of where each row was: file, which names the message, and position."""
    places = pc.binary_join_element_wise(
        rows.column("file"), rows.column("position").cast(pa.string()), "\n"
    )
    return id_keys(places)


def _first_refused(
    rejects: pa.RecordBatch, known: pa.RecordBatch
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Leave out rejects that came already; give the keys of all, and those that are new."""
    keys = row_keys(rejects)
    _, first = np.unique(keys, return_index=True)
    first = first[~np.isin(keys[first], column(known, "article_key"))]
    both = np.union1d(column(known, "article_key"), keys[first])
    return (
        pa.RecordBatch.from_arrays([pa.array(both)], schema=KEYS),
        rejects.take(pa.array(np.sort(first))),
    )


def _received(articles: pa.RecordBatch, label: str) -> pa.RecordBatch:
    given = {
        **dict(zip(articles.schema.names, articles.columns, strict=True)),
        "id": articles.column("article_id"),
        "run_id": pa.repeat(label, articles.num_rows),
    }
    return pa.RecordBatch.from_arrays(
        [given[name] for name in RECEIVED.names], schema=RECEIVED
    )


# What this process remembered when a pipeline began, by folder and language: pipelines of
# one window each, that follow each other in one process, need not read it again.
LATEST: dict[tuple[str, str], Memory] = {}


def remember(output: str, language: str, rules: StreamRules) -> Memory:
    """Give what an earlier job of a stream wrote of a language; nothing, if nothing.

    Args:
      output: folder of the stream.
      language: key of it.
      rules: how long is remembered.
    """
    remove_unfinished(output, language)
    written = windows_written(output, language)
    if not written:
        return NO_MEMORY
    sequence = max(map(window_sequence, written))
    latest = LATEST.get((output, language), NO_MEMORY)
    if latest.sequence == sequence:
        return latest
    last = max(map(window_end, written))
    since = window_label(last - datetime.timedelta(days=rules.lookback), 0)
    found = read_windows(output, language, since=since, least=rules.least)
    sources, lines = found.furniture.columns
    keys = np.unique(row_keys(found.rejects))
    return Memory(
        forget(found.past, before=since, least=rules.least, most=rules.most),
        remembered_lines(sources, lines),
        pa.RecordBatch.from_arrays([pa.array(keys)], schema=KEYS),
        sequence,
    )
