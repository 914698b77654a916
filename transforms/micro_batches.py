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
from schemas.past import LEARNT, REFUSED, STANDING, VECTORS
from schemas.story import LINES
from transforms.assigning import AssigningRules, assign
from transforms.boilerplate import joined_recurring, learn_recurring, strip_batch
from transforms.fingerprint import FingerprintArticles
from transforms.line_memory import holders, lines_to_keep
from transforms.line_rules import rule_lines, ruled_lines
from transforms.main_content import page_model
from transforms.past import LEAST_ARTICLES
from transforms.recurrence import RECURRING, article_keys, article_lines
from transforms.remembering import (
    NO_PAST,
    Past,
    first_refused,
    forget,
    forget_rows,
    latest_rows,
    learnt,
    only_new,
    refusals,
    row_keys,
)
from transforms.removals import summarise_removed
from transforms.reopening import hindsight, taken_lines
from transforms.windows import (
    COUNTED,
    REMEMBERED,
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
      most_known: of each language, forgotten articles of which it is known where they
        stand, and what recurs, and rejects, at most, each.
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
    most_known: int = 100_000

    @property
    def lookback_time(self) -> datetime.timedelta:
        """How long an article is remembered."""
        return datetime.timedelta(days=self.lookback)


class Memory(NamedTuple):
    """What is remembered of a language.

    Attributes:
      past: its articles.
      recurring: LEARNT rows, ascending, of what recurs among them.
      refused: REFUSED rows, ascending, of the rejects.
      sequence: windows that were placed.
    """

    past: Past
    recurring: pa.RecordBatch
    refused: pa.RecordBatch
    sequence: int


NO_MEMORY = Memory(
    NO_PAST,
    pa.RecordBatch.from_pylist([], schema=LEARNT),
    pa.RecordBatch.from_pylist([], schema=REFUSED),
    0,
)


def forget_old(memory: Memory, rules: StreamRules, now: datetime.datetime) -> Memory:
    """Forget what is older than the lookback, and what is too much.

    What recurs, and what was rejected, is known as far back as articles are.

    Args:
      memory: what is remembered of a language.
      rules: how long, and how much.
      now: to which time the windows that were placed, or are to be, have come.
    """
    before = window_label(now - rules.lookback_time, 0)
    past = forget(
        memory.past,
        before=before,
        least=rules.least,
        most=rules.most,
        most_known=rules.most_known,
    )
    oldest = min(before, pc.min(past.articles.column("run_id")).as_py() or before)
    recurring, refused = (
        forget_rows(rows, before=oldest, most=rules.most_known)
        for rows in (memory.recurring, memory.refused)
    )
    return Memory(past, recurring, refused, memory.sequence)


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
    # A late window takes nobody back in time.
    newest = pc.max(memory.past.articles.column("run_id")).as_py() or label
    last = max(end, window_end(newest))
    before, memory = memory, forget_old(memory, rules, last)
    tables: dict[str, pa.RecordBatch] = {}
    counts = dict.fromkeys(COUNTED, 0)
    past, recurring = memory.past, memory.recurring
    if came:
        arrived = concatenate(came, came[0].schema)
        new, again, counts["repeated"] = only_new(arrived, past)
        rejects.append(refusals(again))
        if new.num_rows:
            ruled = ruled_lines(new)
            known = joined_recurring([recurring.select(RECURRING.names), rules.known])
            lines = past.lines.sort_by("article_key")
            found = learn_recurring([new], earlier=lines, known=known)
            cleaned, removed = strip_batch(
                new,
                joined_recurring([known, found]),
                thin_words=rules.thin_words,
                page_model=page_model(rules.page_model_folder),
            )
            own = article_lines(new, ruled)
            held, _ = holders(lines, np.unique(article_keys(own)), known)
            assigned = assign(
                rules.fingerprint.fingerprint(cleaned),
                past,
                rules.assigning,
                label,
                hindsight(held, [found], [taken_lines(removed)], known),
            )
            tables["vectors"] = _late_vectors(assigned.past.vectors, past, new, label)
            tables["lines"] = lines_to_keep(new, ruled)
            tables["recurring"] = learnt(
                recurring,
                found,
                own,
                label=label,
                seen_before=window_label(end - rules.lookback_time / 2, 0),
            )
            recurring = latest_rows([recurring, tables["recurring"]], LEARNT)
            past = assigned.past._replace(
                lines=concatenate([past.lines, tables["lines"]], LINES)
            )
            tables |= assigned.tables
            tables["boilerplate"] = summarise_removed(removed, label)
            tables["placements"] = assigned.placed
            counts |= {"placed": new.num_rows, "embedded": assigned.embedded}
    refused, tables["rejects"] = first_refused(
        concatenate(rejects, REJECT), memory.refused, label
    )
    if came:
        keys, rows = np.unique(row_keys(again), return_index=True)
        kept = np.sort(rows[np.isin(keys, row_keys(tables["rejects"]))])
        received = concatenate([new, again.take(pa.array(kept))], new.schema)
        tables["raw"] = _received(received, label)
    counts["rejected"] = tables["rejects"].num_rows
    now = forget_old(Memory(past, recurring, refused, memory.sequence + 1), rules, last)
    were = before.past.articles.num_rows + counts["placed"]
    counts["forgotten"] = were - now.past.articles.num_rows
    counts |= remembered_counts(now)
    remembered = [column(one.articles, "article_key") for one in (before.past, past)]
    repeated = _standing_still(
        np.concatenate(remembered), now.past, newest, label, rules.lookback
    )
    if repeated.num_rows:
        placed = tables.get("placements", NO_PAST.standings)
        written = np.isin(column(repeated, "article_key"), column(placed, "article_key"))
        others = repeated.filter(pa.array(~written))
        tables["placements"] = concatenate([placed, others], STANDING)
    return Window(language, label, tables, counts), now


def remembered_counts(memory: Memory) -> dict[str, int]:
    """Count what is remembered, by the names of `windows.REMEMBERED`."""
    counted = (*memory.past, memory.recurring, memory.refused)
    return dict(
        zip(
            REMEMBERED,
            [
                memory.past.articles.num_rows,
                memory.past.standings.num_rows,
                memory.recurring.num_rows,
                memory.refused.num_rows,
                sum(batch.nbytes for batch in counted),
            ],
            strict=True,
        )
    )


def _late_vectors(
    vectors: pa.RecordBatch, past: Past, new: pa.RecordBatch, label: str
) -> pa.RecordBatch:
    """Give the vectors that were made now of articles placed before: VECTORS rows.

    Those of new articles stand in `index`.
    """
    made = vectors.slice(past.vectors.num_rows)
    late = ~np.isin(column(made, "article_key"), column(new, "article_key"))
    made = made.filter(pa.array(late))
    return pa.RecordBatch.from_arrays(
        [*made.columns, pa.repeat(label, made.num_rows)], schema=VECTORS
    )


def _standing_still(
    were: npt.NDArray[np.uint64], kept: Past, newest: str, label: str, lookback: float
) -> pa.RecordBatch:
    """Give rows of forgotten articles that are to be written again: STANDING.

    A job that begins anew reads what was written within the lookback. So where a forgotten
    article stands is written once more when it is forgotten, and twice in that time as long
    as one of its story is remembered.

    Args:
      were: keys of articles that were remembered until now, or came now.
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
        wanted &= np.isin(keys, were)
    return kept.standings.filter(pa.array(wanted))


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
    since = window_label(last - rules.lookback_time, 0)
    found = read_windows(output, language, since=since, least=rules.least)
    return forget_old(Memory(*found, sequence), rules, last)
