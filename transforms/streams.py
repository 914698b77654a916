"""Streams: windows of each language, placed one after another, what came before in state.

Beam holds what is remembered as state, one key a language: the articles of a language are
placed by one worker, window after window. All the world's news in one language is a few
dozen articles a second, which one worker can place. What it holds is bounded, by age and
by number, and counted.

A window is placed when the watermark passes its end. An article that comes later is placed
as soon as it is there; none is too late. When nothing came for as long as articles are
remembered, what is old goes then, and not when the next one comes.

A job that begins anew finds what an earlier one wrote (`windows`) and goes on with it.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import TupleCoder, VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    BagStateSpec,
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)
from apache_beam.utils.timestamp import Timestamp

from schemas.batch import RecordBatchCoder, concatenate, split_by
from schemas.past import VECTOR
from transforms.embedding_model import accelerate, load_model
from transforms.micro_batches import (
    LATEST,
    Memory,
    StreamRules,
    forget_old,
    place_window,
    remember,
)
from transforms.remembering import Past
from transforms.story_articles import STORY_ARTICLE
from transforms.windows import Window

# The key of articles whose language nobody names, and of rejects.
UNKNOWN = "und"
_LANGUAGE = re.compile("[a-z]{2,3}")

_BATCH = RecordBatchCoder()
# State is named and numbered: a job that takes another one's place must read it.
_WAITING = beam.DoFn.StateParam(BagStateSpec("waiting-1", _BATCH))
_DUE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("due-1", VarIntCoder()))
_SEQUENCE = beam.DoFn.StateParam(ReadModifyWriteStateSpec("sequence-1", VarIntCoder()))
_ARTICLES = beam.DoFn.StateParam(BagStateSpec("articles-1", _BATCH))
_VECTORS = beam.DoFn.StateParam(BagStateSpec("vectors-1", _BATCH))
_FOUND = beam.DoFn.StateParam(ReadModifyWriteStateSpec("found-2", TupleCoder([_BATCH] * 6)))
_PLACE = TimerSpec("place-1", TimeDomain.WATERMARK)
_FORGET = TimerSpec("forget-1", TimeDomain.WATERMARK)
_SET_PLACE, _SET_FORGET = map(beam.DoFn.TimerParam, (_PLACE, _FORGET))


class _PlaceWindows(beam.DoFn):
    """Gathers the articles of a language, and places them when their window is over."""

    def __init__(self, rules: StreamRules, output: str, accelerated: bool) -> None:
        self.rules = rules
        self.output = output
        self.accelerated = accelerated

    def setup(self) -> None:
        """Load the model, once a worker."""
        if self.rules.assigning.embedding != "none":
            if self.accelerated:
                accelerate()
            load_model(self.rules.assigning.embedding_model)

    def process(
        self,
        keyed: tuple[str, pa.RecordBatch],
        timestamp: Timestamp = beam.DoFn.TimestampParam,
        waiting: Any = _WAITING,
        due: Any = _DUE,
        place: Any = _SET_PLACE,
    ) -> None:
        """Let a batch of one language wait for the end of its window."""
        waiting.add(keyed[1])
        seconds = self.rules.window_seconds
        end = (timestamp.micros // 1_000_000 // seconds + 1) * seconds
        # Set again, a timer forgets what it was set to: early articles of the next window
        # would put it off.
        if due.read() is None or end < due.read():
            due.write(end)
            place.set(Timestamp(end))

    @on_timer(_PLACE)
    def place(
        self,
        language: str = beam.DoFn.KeyParam,
        timestamp: Timestamp = beam.DoFn.TimestampParam,
        waiting: Any = _WAITING,
        due: Any = _DUE,
        sequence: Any = _SEQUENCE,
        articles: Any = _ARTICLES,
        vectors: Any = _VECTORS,
        found: Any = _FOUND,
        forget: Any = _SET_FORGET,
    ) -> Iterator[Window]:
        """Place the articles of a window that is over, beside what is remembered."""
        if due.read() is None:
            # The timer of a window that was placed with an earlier one.
            return
        end = datetime.datetime.fromtimestamp(due.read(), datetime.UTC)
        is_first = found.read() is None
        memory = (
            remember(self.output, language, self.rules)
            if is_first
            else self._kept(sequence, articles, vectors, found)
        )
        window, now = place_window(waiting.read(), memory, self.rules, language, end)
        waiting.clear()
        due.clear()
        self._keep(memory, now, is_first, sequence, articles, vectors, found)
        # A second later than what came now is old, for that is when it is.
        forget.set(Timestamp(end.timestamp() + self.rules.lookback * 86_400 + 1))
        if is_first:
            LATEST[self.output, language] = now
        yield window

    def _kept(self, sequence: Any, articles: Any, vectors: Any, found: Any) -> Memory:
        """Read what is remembered from the state."""
        *others, recurring, refused = found.read()
        past = Past(
            concatenate(articles.read(), STORY_ARTICLE),
            concatenate(vectors.read(), VECTOR),
            *others,
        )
        return Memory(past, recurring, refused, sequence.read())

    def _keep(
        self,
        before: Memory,
        now: Memory,
        is_first: bool,
        sequence: Any,
        articles: Any,
        vectors: Any,
        found: Any,
    ) -> None:
        """Add what is new to the state; write all of it anew where something went."""
        past, recurring, refused, number = now
        for state, old, rows in (
            (articles, before.past.articles, past.articles),
            (vectors, before.past.vectors, past.vectors),
        ):
            added = rows.slice(old.num_rows)
            if is_first or rows.slice(0, old.num_rows) != old:
                state.clear()
                added = rows
            if added.num_rows:
                state.add(added)
        found.write((*past[2:], recurring, refused))
        sequence.write(number)

    @on_timer(_FORGET)
    def forget(
        self,
        timestamp: Timestamp = beam.DoFn.TimestampParam,
        sequence: Any = _SEQUENCE,
        articles: Any = _ARTICLES,
        vectors: Any = _VECTORS,
        found: Any = _FOUND,
    ) -> None:
        """Forget what the next window would, of a language of which nothing came."""
        if found.read()[0].num_rows <= self.rules.least:
            # Nothing: so few are kept however old they are.
            return
        memory = self._kept(sequence, articles, vectors, found)
        passed = datetime.datetime.fromtimestamp(timestamp.seconds(), datetime.UTC)
        now = forget_old(memory, self.rules, passed)
        self._keep(memory, now, False, sequence, articles, vectors, found)


def language_keys(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Give the articles of each language; rejects go with those of no language.

    Args:
      batch: ARTICLE rows, at least, or REJECT rows.
    """
    if "language" not in batch.schema.names:
        yield UNKNOWN, batch
        return
    encoded = batch.column("language").dictionary_encode()
    names = encoded.dictionary.to_pylist()
    for code, rows in split_by(batch, encoded.indices.to_numpy()):
        # A key is part of the names of files.
        yield names[code] if _LANGUAGE.fullmatch(names[code]) else UNKNOWN, rows


@dataclasses.dataclass(eq=False)
class PlaceWindows(beam.PTransform):
    """Place the articles of a stream, window by window; give the windows.

    Takes batches of ARTICLE rows, with the columns of `rule_lines` or without, and of
    REJECT rows, in the global window, each with the time that it came.

    Attributes:
      rules: how.
      output: folder of the stream, where a job that begins anew finds what it remembers.
      accelerator: as of EmbedArticles.
    """

    rules: StreamRules
    output: str
    accelerator: str = "none"

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[Window]:
        """Bring each language to its worker."""
        accelerated = self.accelerator != "none"
        place = beam.ParDo(
            _PlaceWindows(self.rules, self.output, accelerated)
        ).with_output_types(Window)
        if accelerated:
            place = place.with_resource_hints(accelerator=self.accelerator)
        return (
            batches
            | "By language"
            >> beam.FlatMap(language_keys).with_output_types(tuple[str, pa.RecordBatch])
            | "Place" >> place
        )
