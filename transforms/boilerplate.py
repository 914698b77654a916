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
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.article import CLEANED, REMOVED
from schemas.batch import (
    Collections,
    column,
    concatenate,
    list_array,
    list_column,
    split_by,
    with_column,
)
from transforms.furniture import REASONS, line_reason
from transforms.main_content import DATA as SHIPPED
from transforms.main_content import PageModel, page_model
from transforms.recurrence import (
    AGENCY,
    ANY_SOURCE,
    BORNE_OUT,
    HEADLINE,
    LINE,
    PROPER,
    RECURRING,
    WHOLE_TEXT,
    Lines,
    hash_lines,
    headline_keys,
    is_recurring,
    observe_lines,
    recurring_lines,
    recurring_table,
    source_keys,
    text_keys,
)
from transforms.stripping import (
    IS_AGENCY,
    IS_HEADLINE,
    IS_PROPER,
    RECURS,
    Stripped,
    split_lines,
    strip,
)
from transforms.titles import (
    WHOLE,
    judge_texts,
    observe_texts,
    title_stems,
    title_support,
)
from transforms.tokens import count_words

_SHARDS = 64
_RULES = "line_rules"
_CODES: dict[str | None, int] = {
    None: 0,
    **{reason: code for code, reason in enumerate(REASONS, 1)},
}
_DECODED = (None, *REASONS)


def line_rules(texts: Iterable[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Give what each line of each text says of itself.

    Args:
      texts: n texts of m lines in all.

    Returns:
      codes: shape (m,). 0 for a line of the article, else one more than the place of the
        reason in REASONS.
      offsets: shape (n + 1,). Text i owns lines offsets[i] to offsets[i + 1].
    """
    codes: list[int] = []
    offsets = [0]
    for text in texts:
        codes += [_CODES[line_reason(line)] for line in split_lines(text)]
        offsets.append(len(codes))
    return np.array(codes, dtype=np.uint8), np.array(offsets, dtype=np.int64)


def ruled_lines(texts: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Tell for each line of each text, one after the other, whether a rule takes it."""
    return line_rules(texts)[0] > 0


def _rules_of(articles: pa.RecordBatch) -> npt.NDArray[np.uint8]:
    """Give the rule of each line of a batch: as carried along, or found now."""
    if _RULES in articles.schema.names:
        return list_column(articles, _RULES)[0]
    return line_rules(articles.column("text").to_pylist())[0]


def rule_lines(articles: pa.RecordBatch) -> pa.RecordBatch:
    """Give the batch with a column `line_rules`: the codes of `line_rules`, list<uint8>."""
    codes, offsets = line_rules(articles.column("text").to_pylist())
    return with_column(articles, _RULES, list_array(codes, offsets))


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
      articles: ARTICLE rows, with `line_rules` or without.
      recurring: RECURRING rows, sorted.
      min_words: with fewer words left, captions and credits are taken back.
      thin_words: a text of fewer words is thin.
      alien_words: a text of fewer words is alien if it holds no word of its title.
      page_model: finds the article in a whole page; None for the one that is shipped.

    Returns:
      cleaned: CLEANED rows, one an article, in the same order.
      removed: REMOVED rows.
    """
    texts = articles.column("text").to_pylist()
    titles = articles.column("title").to_pylist()
    sources = articles.column("source").to_pylist()
    lines = hash_lines(articles.column("text"))
    rules = _rules_of(articles)
    known = _known_lines(articles, lines, recurring)
    named = column(recurring, "source_key") == AGENCY
    agencies = frozenset(column(recurring, "line_key")[named].tolist())
    reasons = [_DECODED[code] for code in rules.tolist()]
    flags = known.tolist()
    stripped = [
        strip(
            text,
            title,
            flags[start:end],
            source=source,
            ruled=reasons[start:end],
            agencies=agencies,
            min_words=min_words,
            page_model=page_model,
        )
        for text, title, source, (start, end) in zip(
            texts, titles, sources, itertools.pairwise(lines.offsets.tolist()), strict=True
        )
    ]
    left = pa.array([article.text for article in stripped], pa.string())
    words = count_words(left)
    removed = _removed_rows(articles, stripped)
    gone = np.zeros(len(texts), dtype=np.int64)
    of_article = np.repeat(np.arange(len(texts)), [len(s.removed) for s in stripped])
    np.add.at(gone, of_article, column(removed, "word_count"))
    alien = _under_wrong_title(
        titles, stripped, words < alien_words, lines, rules > 0, recurring
    )
    values = {
        **{name: articles.column(name) for name in articles.schema.names},
        "text": left,
        "credited_source": pa.array([s.credited_source for s in stripped], pa.string()),
        "word_count": pa.array(words, pa.int32()),
        "removed_word_count": pa.array(gone, pa.int32()),
        "thin": pa.array((words < thin_words) | alien),
        "alien": pa.array(alien),
    }
    cleaned = pa.RecordBatch.from_arrays(
        [values[field.name] for field in CLEANED], schema=CLEANED
    )
    return cleaned, removed


def _known_lines(
    articles: pa.RecordBatch, lines: Lines, recurring: pa.RecordBatch
) -> npt.NDArray[np.uint8]:
    """Tell of each line what other articles say of it, as `strip` takes it."""
    counts = np.diff(lines.offsets)
    sources = np.repeat(source_keys(articles.column("source")), counts)
    own = np.repeat(headline_keys(articles.column("title")), counts)

    def held(sources: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        return is_recurring(recurring, sources, lines.keys)

    def everywhere(constant: int) -> npt.NDArray[np.bool_]:
        return held(np.full(len(lines.keys), constant, dtype=np.uint64))

    known = (held(sources) | everywhere(ANY_SOURCE)) * np.uint8(RECURS)
    known += held(sources + PROPER) * np.uint8(IS_PROPER)
    known += (held(sources + HEADLINE) & (lines.keys != own)) * np.uint8(IS_HEADLINE)
    known += everywhere(AGENCY) * np.uint8(IS_AGENCY)
    return known


def _under_wrong_title(
    titles: Sequence[str | None],
    stripped: Sequence[Stripped],
    short: npt.NDArray[np.bool_],
    lines: Lines,
    ruled: npt.NDArray[np.bool_],
    recurring: pa.RecordBatch,
) -> npt.NDArray[np.bool_]:
    """Tell for each article whether its text is not that of its title."""
    alien = np.array(
        [
            maybe and title_support(title_stems(title), article.text) == 0
            for title, article, maybe in zip(titles, stripped, short.tolist(), strict=True)
        ],
        dtype=np.bool_,
    )
    known = column(recurring, "source_key")
    if not np.any((known == WHOLE_TEXT) | (known == BORNE_OUT)):
        return alien
    keys = text_keys(lines.offsets, lines.keys, ruled)
    wrong, right = (
        is_recurring(recurring, np.full(len(keys), kind, dtype=np.uint64), keys)
        for kind in (WHOLE_TEXT, BORNE_OUT)
    )
    return wrong | (alien & ~right)


def _removed_rows(articles: pa.RecordBatch, stripped: Sequence[Stripped]) -> pa.RecordBatch:
    """Give the removed lines of a batch as REMOVED rows."""
    rows = pa.array(np.repeat(np.arange(len(stripped)), [len(s.removed) for s in stripped]))
    lines = pa.array([line for s in stripped for line, _ in s.removed], pa.string())
    values = {
        **{
            name: articles.column(name).take(rows)
            for name in ("article_key", "article_id", "source")
        },
        "reason": pa.array([why for s in stripped for _, why in s.removed], pa.string()),
        "line": lines,
        "word_count": pa.array(count_words(lines), pa.int32()),
    }
    return pa.RecordBatch.from_arrays(
        [values[field.name] for field in REMOVED], schema=REMOVED
    )


class RuleLines(beam.PTransform):
    """Note what every line says of itself, once for all that ask: ARTICLE batches in.

    Gives them with a column more, `line_rules`. The transforms below find it themselves
    where it is missing, each at the cost of this one.
    """

    def expand(
        self, articles: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Add the column."""
        return articles | "Rule" >> beam.Map(rule_lines)


@dataclasses.dataclass(eq=False)
class LearnRecurringLines(beam.PTransform):
    """Learn which lines and whole texts are furniture because they recur.

    Takes ARTICLE batches and gives one batch of RECURRING rows; none for no articles.

    Attributes:
      min_contexts: unlike contexts that make a line of a source furniture.
      min_days: days from first to last sight that a long line needs for that.
      long_days: days over which two contexts are enough.
    """

    min_contexts: int = 3
    min_days: int = 3
    long_days: int = 7

    def expand(
        self, articles: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[pa.RecordBatch]:
        """Observe lines by article, then judge them by line."""
        return (
            articles
            | "Observe" >> beam.FlatMap(self._observe)
            | "Gather" >> beam.GroupByKey()
            | "Judge" >> beam.MapTuple(self._judge)
            | "Bring together" >> beam.GroupByKey()
            | "Sort" >> beam.MapTuple(self._sort)
        )

    def _observe(self, batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
        lines = hash_lines(batch.column("text"))
        ruled = _rules_of(batch) > 0
        keys = text_keys(lines.offsets, lines.keys, ruled)
        # Lines go to the first shards, whole texts to the others.
        for observed, key, first in (
            (observe_lines(batch, lines, ruled), "line_key", 0),
            (observe_texts(batch, keys), "text_key", _SHARDS),
        ):
            shards = column(observed, key) % np.uint64(_SHARDS)
            for shard, rows in split_by(observed, shards):
                yield first + shard, rows

    def _judge(
        self, shard: int, batches: Iterable[pa.RecordBatch]
    ) -> tuple[int, pa.RecordBatch]:
        if shard >= _SHARDS:
            return 0, judge_texts(concatenate(batches, WHOLE))
        return 0, recurring_lines(
            concatenate(batches, LINE),
            min_contexts=self.min_contexts,
            min_days=self.min_days,
            long_days=self.long_days,
        )

    def _sort(self, _: int, batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
        table = concatenate(batches, RECURRING)
        return recurring_table(
            np.stack((column(table, "source_key"), column(table, "line_key")), axis=1)
        )


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["cleaned"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["removed"], pa.RecordBatch]
)


@dataclasses.dataclass(eq=False)
class StripBoilerplate(beam.PTransform):
    """Strip furniture off articles.

    Takes `articles` (ARTICLE batches) and `recurring` (RECURRING batches, small: every
    worker holds them), gives `cleaned` (CLEANED) and `removed` (REMOVED batches).

    Attributes:
      min_words: with fewer words left, captions and credits are taken back.
      thin_words: a text of fewer words is thin.
      alien_words: a text of fewer words is alien if it holds no word of its title.
      page_model_folder: of what finds the article in a whole page.
    """

    min_words: int = 40
    thin_words: int = 25
    alien_words: int = 300
    page_model_folder: str = SHIPPED

    def expand(self, inputs: Collections) -> Collections:
        """Strip every article by the rules and by what recurs."""
        outputs = inputs["articles"] | "Strip" >> beam.FlatMap(
            self._strip, recurring=beam.pvalue.AsList(inputs["recurring"])
        ).with_outputs("cleaned", "removed")
        return {"cleaned": outputs.cleaned, "removed": outputs.removed}

    def _strip(
        self, batch: pa.RecordBatch, recurring: list[pa.RecordBatch]
    ) -> Iterator[Tagged]:
        table = recurring[0] if len(recurring) == 1 else _joined(recurring)
        cleaned, removed = strip_batch(
            batch,
            table,
            min_words=self.min_words,
            thin_words=self.thin_words,
            alien_words=self.alien_words,
            page_model=page_model(self.page_model_folder),
        )
        yield beam.pvalue.TaggedOutput("cleaned", cleaned)
        if removed.num_rows:
            yield beam.pvalue.TaggedOutput("removed", removed)


def _joined(tables: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Join RECURRING tables, of earlier runs and of this one, into one."""
    table = concatenate(tables, RECURRING)
    return recurring_table(
        np.stack((column(table, "source_key"), column(table, "line_key")), axis=1)
    )
