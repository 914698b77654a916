"""Boilerplate: an article's text without the site around it.

Two kinds of evidence are put together. A line may say of itself that it is furniture
(`furniture.py`), or its source may repeat it in articles that have nothing else in common
(`recurrence.py`). Then what stands between two buttons goes, and what was already said on
the page. If hardly a text is left, captions come back: a page that is one captioned
picture is that caption.

Every line that goes is noted with its reason, and who the text is credited to is read
before its line is thrown away. A line stays or goes whole; paragraphs stay lines, and the
order in which articles come makes no difference.

A text of a few words, and one that does not belong to its title, is `thin`: it is kept,
and is nobody's copy.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.article import CLEANED, REMOVED
from schemas.batch import column, concatenate, split_by
from transforms.credits import credited_source, names_only
from transforms.furniture import cut_segments, ends_sentence, line_reason
from transforms.recurrence import (
    ANY_SOURCE,
    BORNE_OUT,
    LINE,
    RECURRING,
    WHOLE_TEXT,
    Lines,
    hash_lines,
    is_recurring,
    observe_lines,
    recurring_lines,
    recurring_table,
    source_keys,
    text_keys,
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
# Furniture that two buttons around a line make it one too.
_BUTTONS = frozenset(("ui", "share", "advert", "prompt", "related", "menu"))
# What comes back when hardly a text is left.
_TAKEN_BACK = frozenset(("caption", "rights", "credit"))
_SANDWICH_WORDS = 5
_REPEAT_WORDS = 4
_TEMPLATE_WORDS = 12

_DATELINE_ALONE = re.compile(
    r"[A-ZÀ-Þ][A-ZÀ-Þ .'’]*(?:, [\w. ]+)?(?:\([^)]+\))? ?[-–—]*"
    r"|[A-ZÀ-Þ][\w .,'’]{1,40}\([^)]+\) ?[-–—]*"
)
_FIELD = re.compile(r"[^\W\d_][^:–]{0,30}(?::| [–-] )")
_BARE_CREDIT = re.compile(r"[.!?”\"] ?[(\[][^()\[\]/:]{2,30}[)\]]\W*$")


class Stripped(NamedTuple):
    """An article's text without furniture.

    Attributes:
      text: what is left, one paragraph a line.
      removed: each line or passage that went, and why, in the order of the page.
      credited_source: who the page credits with the text; None if nobody.
    """

    text: str
    removed: list[tuple[str, str]]
    credited_source: str | None


def split_lines(text: str) -> list[str]:
    r"""Give the lines of a text, empty ones too, white space and soft hyphens folded.

    >>> split_lines("One\u00a0 line\n\nanother")
    ['One line', '', 'another']
    """
    return [" ".join(line.split()) for line in text.replace("\u00ad", "").split("\n")]


def strip(
    text: str,
    title: str | None = None,
    recurs: Sequence[bool] | npt.NDArray[np.bool_] = (),
    *,
    min_words: int = 40,
) -> Stripped:
    r"""Strip the furniture off one article.

    Args:
      text: as scraped, lines parted by "\n".
      title: of the article; a line that is the title is never furniture.
      recurs: for each line of the text, empty ones included, whether its source repeats
        it; empty where nothing is known of the source.
      min_words: with fewer words left, captions and credits are taken back.

    Raises:
      ValueError: if there are `recurs` for another number of lines.

    >>> strip("Log In\nTwo people were hurt on Sunday.\nFollow us on:").text
    'Two people were hurt on Sunday.'
    """
    lines = split_lines(text)
    if len(recurs) not in (0, len(lines)):
        raise ValueError(
            f"recurs must tell of each of {len(lines)} lines, got {len(recurs)} values"
        )
    full = [i for i, line in enumerate(lines) if line]
    lines, known = [lines[i] for i in full], [bool(len(recurs)) and recurs[i] for i in full]
    reasons = _reasons(lines, title, known)
    credit = credited_source(lines, reasons)

    kept: list[str] = []
    removed: list[tuple[str, str]] = []
    for line, reason in zip(lines, reasons, strict=True):
        if reason:
            removed.append((line, reason))
            continue
        rest, segments = cut_segments(line)
        removed += segments
        if rest:
            kept.append(rest)
    if removed and _fewer_words(kept, min_words):
        kept, removed = _take_back(lines, reasons)
    return Stripped("\n".join(kept), removed, credit)


def _reasons(
    lines: Sequence[str], title: str | None, recurs: Sequence[bool]
) -> list[str | None]:
    """Give the reason why each line goes, None for one that stays."""
    headline = " ".join(title.split()).lower() if title else None
    reasons: list[str | None] = []
    seen: set[str] = set()
    for line, known in zip(lines, recurs, strict=True):
        is_headline = line.lower() == headline
        reason = None if is_headline else line_reason(line)
        if not reason and known and not is_headline and not is_guarded(line):
            reason = "recurs"
        if not reason:
            if line in seen and line.count(" ") + 1 >= _REPEAT_WORDS:
                reason = "repeat"
            seen.add(line)
        reasons.append(reason)
    _keep_closing_credit(lines, reasons)
    _name_credits(lines, reasons)
    _take_sandwiched(lines, reasons)
    return reasons


def is_guarded(line: str) -> bool:
    """Tell whether a line stays though its source repeats it.

    Short sentences ("The investigation is ongoing."), quotations in two versions of a
    report, datelines and fields of a list ("Age: 27", alike once numbers are folded)
    repeat and belong to the article.
    """
    words = line.count(" ") + 1
    return (
        (words < _TEMPLATE_WORDS and ends_sentence(line))
        or (line[0] in '"“„«' and words > _SANDWICH_WORDS)
        or _FIELD.match(line) is not None
        or (words <= 6 and len(line) > 3 and _DATELINE_ALONE.fullmatch(line) is not None)
    )


def _keep_closing_credit(lines: Sequence[str], reasons: list[str | None]) -> None:
    """Keep the last paragraph when "(AFP)" at its end made it look like a caption."""
    last = max((i for i, reason in enumerate(reasons) if not reason), default=-1)
    for i in range(last + 1, len(lines)):
        if reasons[i] == "caption" and _BARE_CREDIT.search(lines[i]):
            reasons[i] = None
            return


def _name_credits(lines: Sequence[str], reasons: list[str | None]) -> None:
    """Take a line that is the name of an agency or outlet and no more."""
    for i, line in enumerate(lines):
        if not reasons[i] and len(line) <= 45 and names_only(line):
            reasons[i] = "credit"


def _take_sandwiched(lines: Sequence[str], reasons: list[str | None]) -> None:
    """Take a few words that stand between two buttons, as a name in a bar does."""
    first = next(
        (i for i, line in enumerate(lines) if not reasons[i] and line.count(" ") >= 3), -1
    )
    for i in range(1, len(lines) - 1):
        line = lines[i]
        if (
            reasons[i] is None
            and i != first
            and line.count(" ") < _SANDWICH_WORDS
            and reasons[i - 1] in _BUTTONS
            and reasons[i + 1] in _BUTTONS
            and not ends_sentence(line)
            and not line.endswith(":")
            and not any(mark in line for mark in '"“”„«»')
        ):
            reasons[i] = "ui"


def _fewer_words(lines: Iterable[str], words: int) -> bool:
    """Tell whether lines have fewer words than that, without counting a long text."""
    text = "\n".join(lines)
    if len(text) > 20 * words:
        return False
    return int(count_words(pa.array([text]))[0]) < words


def _take_back(
    lines: Sequence[str], reasons: Sequence[str | None]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Keep captions and credits too, each once."""
    kept: list[str] = []
    removed: list[tuple[str, str]] = []
    for line, reason in zip(lines, reasons, strict=True):
        if reason is None or (reason in _TAKEN_BACK and line not in kept):
            kept.append(line)
        else:
            removed.append((line, reason))
    return kept, removed


def ruled_lines(texts: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Tell for each line of each text, one after the other, whether a rule takes it."""
    flags = [line_reason(line) is not None for text in texts for line in split_lines(text)]
    return np.array(flags, dtype=np.bool_)


def strip_batch(
    articles: pa.RecordBatch,
    recurring: pa.RecordBatch,
    *,
    min_words: int = 40,
    thin_words: int = 25,
    alien_words: int = 300,
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Strip the furniture off a batch of articles.

    Args:
      articles: ARTICLE rows.
      recurring: RECURRING rows, sorted.
      min_words: with fewer words left, captions and credits are taken back.
      thin_words: a text of fewer words is thin.
      alien_words: a text of fewer words is thin if it holds no word of its title.

    Returns:
      cleaned: CLEANED rows, one an article, in the same order.
      removed: REMOVED rows.
    """
    texts = articles.column("text").to_pylist()
    lines = hash_lines(articles.column("text"))
    recurs = _recurring_flags(articles, lines, recurring)
    titles = articles.column("title").to_pylist()
    stripped = [
        strip(text, title, recurs[start:end], min_words=min_words)
        for text, title, start, end in zip(
            texts, titles, lines.offsets[:-1], lines.offsets[1:], strict=True
        )
    ]
    left = pa.array([article.text for article in stripped], pa.string())
    words = count_words(left)
    removed = _removed_rows(articles, stripped)
    gone = np.zeros(len(texts), dtype=np.int64)
    of_article = np.repeat(np.arange(len(texts)), [len(s.removed) for s in stripped])
    np.add.at(gone, of_article, column(removed, "word_count"))
    thin = (words < thin_words) | _under_wrong_title(
        articles, stripped, words < alien_words, lines, recurring
    )
    values = {
        **{name: articles.column(name) for name in articles.schema.names},
        "text": left,
        "credited_source": pa.array([s.credited_source for s in stripped], pa.string()),
        "word_count": pa.array(words, pa.int32()),
        "removed_word_count": pa.array(gone, pa.int32()),
        "thin": pa.array(thin),
    }
    cleaned = pa.RecordBatch.from_arrays(
        [values[field.name] for field in CLEANED], schema=CLEANED
    )
    return cleaned, removed


def _recurring_flags(
    articles: pa.RecordBatch, lines: Lines, recurring: pa.RecordBatch
) -> npt.NDArray[np.bool_]:
    """Tell for each line whether its source, or every site, repeats it."""
    sources = np.repeat(source_keys(articles.column("source")), np.diff(lines.offsets))
    anywhere = np.full(len(sources), ANY_SOURCE, dtype=np.uint64)
    return is_recurring(recurring, sources, lines.keys) | is_recurring(
        recurring, anywhere, lines.keys
    )


def _under_wrong_title(
    articles: pa.RecordBatch,
    stripped: Sequence[Stripped],
    short: npt.NDArray[np.bool_],
    lines: Lines,
    recurring: pa.RecordBatch,
) -> npt.NDArray[np.bool_]:
    """Tell for each article whether its text is not that of its title."""
    titles = articles.column("title").to_pylist()
    alien = np.array(
        [
            maybe and title_support(title_stems(title), article.text) == 0
            for title, article, maybe in zip(titles, stripped, short, strict=True)
        ],
        dtype=np.bool_,
    )
    known = column(recurring, "source_key")
    if not np.any((known == WHOLE_TEXT) | (known == BORNE_OUT)):
        return alien
    ruled = ruled_lines(articles.column("text").to_pylist())
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
        ruled = ruled_lines(batch.column("text").to_pylist())
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


@dataclasses.dataclass(eq=False)
class StripBoilerplate(beam.PTransform):
    """Strip furniture off articles.

    Takes `articles` (ARTICLE batches) and `recurring` (RECURRING batches, small: every
    worker holds them), gives `cleaned` (CLEANED) and `removed` (REMOVED batches).

    Attributes:
      min_words: with fewer words left, captions and credits are taken back.
      thin_words: a text of fewer words is thin.
      alien_words: a text of fewer words is thin if it holds no word of its title.
    """

    min_words: int = 40
    thin_words: int = 25
    alien_words: int = 300

    def expand(
        self, inputs: Mapping[str, beam.PCollection[pa.RecordBatch]]
    ) -> dict[str, beam.PCollection[pa.RecordBatch]]:
        """Strip every article by the rules and by what recurs."""
        outputs = inputs["articles"] | "Strip" >> beam.FlatMap(
            self._strip, recurring=beam.pvalue.AsList(inputs["recurring"])
        ).with_outputs("cleaned", "removed")
        return {"cleaned": outputs.cleaned, "removed": outputs.removed}

    def _strip(
        self, batch: pa.RecordBatch, recurring: list[pa.RecordBatch]
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        table = recurring[0] if len(recurring) == 1 else _joined(recurring)
        cleaned, removed = strip_batch(
            batch,
            table,
            min_words=self.min_words,
            thin_words=self.thin_words,
            alien_words=self.alien_words,
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
