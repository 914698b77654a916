"""Boilerplate: articles without the site around them.

All that is known of lines is put together here: what they say of themselves, read once
and carried along (`RuleLines`), what recurs in all articles (`LearnRecurringLines`), and
what then stays of each article (`StripBoilerplate`).

Every line that goes is noted with its reason, and who the text is credited to is read
before its line is thrown away. The order in which articles come makes no difference.

A text of a few words, and one that does not belong to its title, is `thin`: it is kept,
and is nobody's copy.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.article import CLEANED, REMOVED
from schemas.batch import Collections, column, concatenate, split_by
from schemas.story import LINES
from transforms.assembly import StrippedTexts
from transforms.line_memory import (
    held_keys,
    holders,
    kept_lines,
    lines_to_keep,
    titles_by_text,
)
from transforms.line_rules import RuledLines, rule_lines, ruled_lines
from transforms.main_content import SHIPPED, PageModel, page_model
from transforms.past import read_part
from transforms.recurrence import (
    AGENCY,
    ANY_SOURCE,
    BORNE_OUT,
    HEADLINE,
    LINE,
    PROPER,
    RECURRING,
    WHOLE_TEXT,
    among,
    article_keys,
    article_lines,
    headline_keys,
    is_recurring,
    observe_lines,
    observe_sources,
    recurring_lines,
    recurring_table,
    repeated_keys,
    source_keys,
    text_keys,
)
from transforms.spilling import Spilled, read_back
from transforms.stripping import strip_texts
from transforms.surroundings import IS_AGENCY, IS_HEADLINE, IS_PROPER, RECURS
from transforms.titles import (
    WHOLE,
    judge_texts,
    observe_texts,
    title_stems,
    title_support,
)

# Each costs an element a batch, and holds its share of what the lines of all news leave.
_SHARDS = 8
_KEYS = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        # It is met more than once in new articles.
        pa.field("is_repeated", pa.bool_(), nullable=False),
    ]
)


def learn_recurring(
    batches: Sequence[pa.RecordBatch],
    earlier: pa.RecordBatch | None = None,
    known: pa.RecordBatch | None = None,
    *,
    min_contexts: int = 3,
    min_days: int = 3,
    long_days: int = 7,
) -> pa.RecordBatch:
    """Learn which lines and whole texts are furniture because they recur.

    Args:
      batches: all ARTICLE rows, with the columns of `rule_lines` or without.
      earlier: LINES rows of earlier articles; what new articles share with them recurs.
      known: RECURRING rows of earlier runs, sorted: of these lines little is read.
      min_contexts: unlike contexts that make a line of a source furniture.
      min_days: days from first to last sight that a long line needs for that.
      long_days: days over which two contexts are enough.

    Returns:
      RECURRING rows, sorted.
    """
    batches = [batch if _is_ruled(batch) else rule_lines(batch) for batch in batches]
    found = [article_keys(article_lines(batch, ruled_lines(batch))) for batch in batches]
    keys = np.concatenate([np.zeros(0, np.uint64), *found])
    repeated = repeated_keys(keys)
    sources = [observe_sources(batch) for batch in batches]
    held = None
    if earlier is not None:
        distinct = np.unique(keys)
        held, at_hand = holders(earlier, distinct, known)
        sources += [at_hand, observe_lines(kept_lines(held), distinct)]
        repeated = np.union1d(repeated, held_keys(held, distinct))
    titles = titles_by_text(held)
    observed = [_observed(batch, repeated, titles) for batch in batches]
    lines = recurring_lines(
        concatenate([*sources, *(lines for lines, _ in observed)], LINE),
        min_contexts=min_contexts,
        min_days=min_days,
        long_days=long_days,
    )
    whole = judge_texts(concatenate([whole for _, whole in observed], WHOLE))
    return joined_recurring([lines, whole])


def _is_ruled(batch: pa.RecordBatch) -> bool:
    return "line_rules" in batch.schema.names


def _observed(
    batch: pa.RecordBatch,
    repeated: npt.NDArray[np.uint64],
    earlier: Mapping[int, Sequence[tuple[int, str | None]]],
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Give what is noted of lines and of whole texts that are met more than once."""
    lines = article_lines(batch, ruled_lines(batch))
    texts = np.where(among(lines.texts, repeated), lines.texts, np.uint64(0))
    return observe_lines(lines, repeated), observe_texts(batch, texts, earlier)


def strip_batch(
    articles: pa.RecordBatch,
    recurring: pa.RecordBatch,
    *,
    min_words: int = 40,
    thin_words: int = 25,
    alien_words: int = 300,
    page_model: PageModel | None = None,
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Strip the furniture off a batch of articles.

    Args:
      articles: ARTICLE rows, with the columns of `rule_lines` or without.
      recurring: RECURRING rows, sorted.
      min_words: with fewer words left, captions and credits are taken back.
      thin_words: a text of fewer words is thin.
      alien_words: a text of fewer words is alien if it holds no word of its title.
      page_model: finds the article in a whole page; None for the one that is shipped.

    Returns:
      cleaned: CLEANED rows, one an article, in the same order.
      removed: REMOVED rows.
    """
    ruled = ruled_lines(articles)
    named = column(recurring, "source_key") == AGENCY
    agencies = frozenset(column(recurring, "line_key")[named].tolist())
    stripped = strip_texts(
        articles.column("text"),
        articles.column("title"),
        articles.column("source").to_pylist(),
        ruled,
        known_lines(articles, ruled.offsets, ruled.keys, recurring),
        agencies=agencies,
        min_words=min_words,
        page_model=page_model,
    )
    words = stripped.words
    alien = _under_wrong_title(
        articles.column("title"), stripped, words < alien_words, ruled, recurring
    )
    gone = np.bincount(stripped.articles, stripped.removed_words, articles.num_rows)
    values = {
        **{name: articles.column(name) for name in articles.schema.names},
        "text": stripped.texts,
        "credited_source": stripped.credited_sources,
        "word_count": pa.array(words, pa.int32()),
        "removed_word_count": pa.array(gone.astype(np.int32)),
        "thin": pa.array((words < thin_words) | alien),
        "alien": pa.array(alien),
    }
    cleaned = pa.RecordBatch.from_arrays(
        [values[field.name] for field in CLEANED], schema=CLEANED
    )
    return cleaned, _removed_rows(articles, stripped)


def known_lines(
    articles: pa.RecordBatch,
    offsets: npt.NDArray[np.int64],
    line_keys: npt.NDArray[np.uint64],
    recurring: pa.RecordBatch,
) -> npt.NDArray[np.uint8]:
    """Tell of each line what other articles say of it, as `strip_texts` takes it.

    Args:
      articles: n rows with `source` and `title`.
      offsets: shape (n + 1,). Article i owns lines offsets[i] to offsets[i + 1].
      line_keys: shape (m,).
      recurring: RECURRING rows, sorted.

    Returns:
      Shape (m,): RECURS, IS_PROPER, IS_HEADLINE, IS_AGENCY, added.
    """
    known = np.zeros(line_keys.size, np.uint8)
    rows = np.flatnonzero(among(line_keys, np.unique(column(recurring, "line_key"))))
    keys = line_keys[rows]
    article = np.searchsorted(offsets, rows, side="right") - 1
    sources = source_keys(articles.column("source"))[article]
    own = headline_keys(articles.column("title"))[article]

    def held(sources: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        return is_recurring(recurring, sources, keys)

    def everywhere(constant: int) -> npt.NDArray[np.bool_]:
        return held(np.full(len(keys), constant, dtype=np.uint64))

    found = (held(sources) | everywhere(ANY_SOURCE)) * np.uint8(RECURS)
    found += held(sources + PROPER) * np.uint8(IS_PROPER)
    found += (held(sources + HEADLINE) & (keys != own)) * np.uint8(IS_HEADLINE)
    found += everywhere(AGENCY) * np.uint8(IS_AGENCY)
    known[rows] = found
    return known


def _under_wrong_title(
    titles: pa.Array,
    stripped: StrippedTexts,
    short: npt.NDArray[np.bool_],
    ruled: RuledLines,
    recurring: pa.RecordBatch,
) -> npt.NDArray[np.bool_]:
    """Tell for each article whether its text is not that of its title."""
    alien = short & ~stripped.titled & ~stripped.supported
    for text in np.flatnonzero(alien).tolist():
        stems = title_stems(titles[text].as_py())
        alien[text] = title_support(stems, stripped.texts[text].as_py()) == 0
    known = column(recurring, "source_key")
    if not np.any((known == WHOLE_TEXT) | (known == BORNE_OUT)):
        return alien
    keys = text_keys(ruled.offsets, ruled.keys, ruled.rules > 0)
    wrong, right = (
        is_recurring(recurring, np.full(len(keys), kind, dtype=np.uint64), keys)
        for kind in (WHOLE_TEXT, BORNE_OUT)
    )
    return wrong | (alien & ~right)


def _removed_rows(articles: pa.RecordBatch, stripped: StrippedTexts) -> pa.RecordBatch:
    """Give the removed lines of a batch as REMOVED rows."""
    rows = pa.array(stripped.articles)
    values = {
        **{
            name: articles.column(name).take(rows)
            for name in ("article_key", "article_id", "source")
        },
        "reason": stripped.reasons,
        "line": stripped.removed,
        "word_count": pa.array(stripped.removed_words, pa.int32()),
    }
    return pa.RecordBatch.from_arrays(
        [values[field.name] for field in REMOVED], schema=REMOVED
    )


class RuleLines(beam.PTransform):
    """Note what every line says of itself, once for all that ask: ARTICLE batches in.

    Gives them with the columns of `rule_lines`. The transforms below find them themselves
    where they are missing, each at the cost of this one.
    """

    def expand(
        self, articles: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Add the columns."""
        return articles | "Rule" >> beam.Map(rule_lines)


@dataclasses.dataclass(eq=False)
class LearnRecurringLines(beam.PTransform):
    """Learn which lines and whole texts are furniture because they recur.

    Takes ARTICLE batches where they wait (Spilled), for they are asked twice and a runner
    would hold them. Gives a dict: `recurring`, one batch of RECURRING rows, none for no
    articles; and where earlier runs kept lines `held`, one batch of LINES rows, of the
    articles that share a line with a new one. It is `learn_recurring`, in shards: first the
    keys that are met more than once are found, and what stands around a line is noted of
    these alone.

    Attributes:
      earlier: paths of the files of LINES rows that earlier runs kept.
      known: RECURRING rows of earlier runs.
      min_contexts: unlike contexts that make a line of a source furniture.
      min_days: days from first to last sight that a long line needs for that.
      long_days: days over which two contexts are enough.
    """

    earlier: beam.PCollection[str] | None = None
    known: pa.RecordBatch | None = None
    min_contexts: int = 3
    min_days: int = 3
    long_days: int = 7

    def expand(self, articles: beam.PCollection[Spilled]) -> Collections:
        """Find repeated keys, observe lines by article, then judge them by line."""
        distinct = (
            articles
            | "Note keys" >> beam.FlatMap(self._note)
            | "Gather keys" >> beam.GroupByKey()
            | "Find repeated" >> beam.MapTuple(self._distinct)
            | "Gather repeated" >> beam.GroupByKey()
            | "Sort repeated" >> beam.MapTuple(_sorted_keys)
        )
        # FnApiRunner would hold back what follows a Flatten of old and new lines until the
        # articles are stripped, which waits for it; so what is old comes beside.
        nothing = pa.RecordBatch.from_pylist([], schema=_KEYS)
        keys = beam.pvalue.AsSingleton(distinct, default_value=nothing)
        old: dict[str, beam.pvalue.AsSingleton] = {}
        given: Collections = {}
        if self.earlier is not None:
            found = self.earlier | "Read lines" >> beam.FlatMap(
                _held, keys, self.known
            ).with_outputs("held", "sources")
            held = (
                found["held"]
                | "Gather lines" >> beam.combiners.ToList()
                | "Join lines" >> beam.Map(concatenate, LINES)
            )
            given["held"] = held
            old["held"] = beam.pvalue.AsSingleton(held)
            # FnApiRunner may give nothing for a side input that is a main input, too.
            observed = (
                articles.pipeline
                | "Once" >> beam.Create([None], reshuffle=False)
                | "Observe earlier"
                >> beam.Map(
                    _observed_earlier,
                    old["held"],
                    keys,
                    beam.pvalue.AsIter(found["sources"]),
                )
            )
            judging = {"earlier": beam.pvalue.AsSingleton(observed)}
        else:
            judging = {}
        given["recurring"] = (
            articles
            | "Observe" >> beam.FlatMap(self._observe, keys, **old)
            | "Gather" >> beam.GroupByKey()
            | "Judge" >> beam.MapTuple(self._judge, **judging)
            | "Bring together" >> beam.GroupByKey()
            | "Sort" >> beam.MapTuple(self._sort)
        )
        return given

    def _note(self, articles: Spilled) -> Iterator[tuple[int, pa.RecordBatch]]:
        batch = read_back(articles)
        keys = article_keys(article_lines(batch, ruled_lines(batch)))
        noted = pa.RecordBatch.from_arrays(
            [pa.array(keys), pa.array(np.zeros(keys.size, np.bool_))], schema=_KEYS
        )
        yield from split_by(noted, keys % np.uint64(_SHARDS))

    def _distinct(
        self, _: int, batches: Iterable[pa.RecordBatch]
    ) -> tuple[int, pa.RecordBatch]:
        keys, counts = np.unique(
            column(concatenate(batches, _KEYS), "key"), return_counts=True
        )
        repeated = counts > 1
        if self.earlier is None:
            # Of what is met once there is nothing to learn.
            keys, repeated = keys[repeated], repeated[repeated]
        columns = [pa.array(keys), pa.array(repeated)]
        return 0, pa.RecordBatch.from_arrays(columns, schema=_KEYS)

    def _observe(
        self, articles: Spilled, keys: pa.RecordBatch, held: pa.RecordBatch | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        batch = read_back(articles)
        distinct = column(keys, "key")
        repeated = distinct[column(keys, "is_repeated").astype(np.bool_)]
        if held is not None:
            repeated = np.union1d(repeated, held_keys(held, distinct))
        lines, texts = _observed(batch, repeated, titles_by_text(held))
        sources = observe_sources(batch)
        for shard, rows in split_by(lines, column(lines, "line_key") % np.uint64(_SHARDS)):
            yield shard, concatenate([rows, sources], LINE)
        # Whole texts go to shards of their own.
        for shard, rows in split_by(texts, column(texts, "text_key") % np.uint64(_SHARDS)):
            yield _SHARDS + shard, rows

    def _judge(
        self,
        shard: int,
        batches: Iterable[pa.RecordBatch],
        earlier: pa.RecordBatch | None = None,
    ) -> tuple[int, pa.RecordBatch]:
        if shard >= _SHARDS:
            return 0, judge_texts(concatenate(batches, WHOLE))
        found = [*batches]
        if earlier is not None:
            # The key of what is no line, but a source at hand, is 0.
            keys = column(earlier, "line_key")
            here = (keys % np.uint64(_SHARDS) == shard) | (keys == 0)
            found.append(earlier.filter(pa.array(here)))
        return 0, recurring_lines(
            concatenate(found, LINE),
            min_contexts=self.min_contexts,
            min_days=self.min_days,
            long_days=self.long_days,
        )

    def _sort(self, _: int, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
        return joined_recurring(list(batches))


def _sorted_keys(_: int, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    # Once, and not for every batch of articles that is looked up in them.
    return concatenate(batches, _KEYS).sort_by("key")


# Beam looks the coder of a tagged output up by this.
Kept: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["held"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["sources"], pa.RecordBatch]
)


def _held(path: str, keys: pa.RecordBatch, known: pa.RecordBatch | None) -> Iterator[Kept]:
    held, sources = holders(read_part(path), column(keys, "key"), known)
    yield beam.pvalue.TaggedOutput("held", held)
    yield beam.pvalue.TaggedOutput("sources", sources)


def _observed_earlier(
    _: None,
    held: pa.RecordBatch,
    keys: pa.RecordBatch,
    sources: Iterable[pa.RecordBatch],
) -> pa.RecordBatch:
    observed = observe_lines(kept_lines(held), column(keys, "key"))
    return concatenate([*sources, observed], LINE)


class KeepLines(beam.PTransform):
    """Give LINES rows of articles, which wait (Spilled), for later runs."""

    def expand(
        self, articles: beam.PCollection[Spilled]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Read the articles back."""
        return articles | "Keep lines" >> beam.Map(_kept)


def _kept(articles: Spilled) -> pa.RecordBatch:
    batch = read_back(articles)
    return lines_to_keep(batch, ruled_lines(batch))


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["cleaned"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["removed"], pa.RecordBatch]
)


@dataclasses.dataclass(eq=False)
class StripBoilerplate(beam.PTransform):
    """Strip furniture off articles.

    Takes `articles` (ARTICLE batches where they wait, Spilled) and `recurring` (RECURRING
    batches, small: every worker holds them), gives `cleaned` (CLEANED) and `removed`
    (REMOVED batches).

    Attributes:
      min_words: with fewer words left, captions and credits are taken back.
      thin_words: a text of fewer words is thin.
      alien_words: a text of fewer words is alien if it holds no word of its title.
      page_model_folder: of what finds the article in a whole page.
      remembered: RECURRING rows of an earlier run.
    """

    min_words: int = 40
    thin_words: int = 25
    alien_words: int = 300
    page_model_folder: str = SHIPPED
    remembered: pa.RecordBatch | None = None

    def expand(self, inputs: Collections) -> Collections:
        """Strip every article by the rules and by what recurs."""
        outputs = inputs["articles"] | "Strip" >> beam.FlatMap(
            self._strip, recurring=beam.pvalue.AsList(inputs["recurring"])
        ).with_outputs("cleaned", "removed")
        return {"cleaned": outputs.cleaned, "removed": outputs.removed}

    def _strip(
        self, articles: Spilled, recurring: list[pa.RecordBatch]
    ) -> Iterator[Tagged]:
        if self.remembered is not None:
            recurring = [*recurring, self.remembered]
        table = recurring[0] if len(recurring) == 1 else joined_recurring(recurring)
        cleaned, removed = strip_batch(
            read_back(articles),
            table,
            min_words=self.min_words,
            thin_words=self.thin_words,
            alien_words=self.alien_words,
            page_model=page_model(self.page_model_folder),
        )
        yield beam.pvalue.TaggedOutput("cleaned", cleaned)
        if removed.num_rows:
            yield beam.pvalue.TaggedOutput("removed", removed)


def joined_recurring(tables: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Join RECURRING tables, of earlier runs and of this one, into one."""
    table = concatenate(tables, RECURRING)
    return recurring_table(
        np.stack((column(table, "source_key"), column(table, "line_key")), axis=1)
    )
