"""Arrivals: messages of a stream become batches of articles, each with the time it came.

A runner hands messages over in bundles of its own choosing. Of each bundle those of one
window make a batch, read, parsed and with its lines ruled here, where many workers do it
side by side. What cannot be read goes two ways: as a reject into its window, and as a dead
letter, the bytes as they came.
"""

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from schemas.article import REJECT
from schemas.batch import Collections, concatenate
from transforms.line_rules import rule_lines
from transforms.messages import DeadLetter, Message, dead_letters, message_file, raw_rows
from transforms.parsing import parse_articles
from transforms.subscriptions import DeadLetters

_MOST = 1_000
_MICROSECONDS = 1_000_000


def read_messages(
    messages: Sequence[Message],
    subscription: str,
    fields: Mapping[str, str],
    latest: datetime.datetime,
) -> tuple[pa.RecordBatch, pa.RecordBatch, list[DeadLetter]]:
    """Read messages as articles.

    Args:
      messages: as delivered.
      subscription: that they came by.
      fields: our name of a field -> its name in the input.
      latest: as of `parse_articles`.

    Returns:
      articles: ARTICLE rows with the columns of `rule_lines`.
      rejects: REJECT rows.
      letters: the messages of the rejects.
    """
    named = {message_file(subscription, one.message_id): one for one in messages}
    payloads = [one.data for one in named.values()]
    raw, unread = raw_rows(payloads, list(named), fields)
    articles, empty = parse_articles(raw, latest=latest)
    rejects = concatenate([unread, empty], REJECT)
    return rule_lines(articles), rejects, dead_letters(rejects, named)


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["batches"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["dead"], DeadLetter]
)


class _ReadMessages(beam.DoFn):
    """Gathers the messages of a bundle by window, and reads them."""

    def __init__(self, settings: "ReadMessages") -> None:
        self.settings = settings
        self.waiting: dict[int, list[Message]] = defaultdict(list)

    def start_bundle(self) -> None:
        self.waiting.clear()

    def process(
        self, message: Message, timestamp: Timestamp = beam.DoFn.TimestampParam
    ) -> Iterator[Any]:
        seconds = timestamp.micros // _MICROSECONDS
        number = seconds // self.settings.window_seconds
        self.waiting[number].append(message)
        if len(self.waiting[number]) == _MOST:
            yield from self._read(number)

    def finish_bundle(self) -> Iterator[Any]:
        for number in sorted(self.waiting):
            yield from self._read(number)

    def _read(self, number: int) -> Iterator[beam.pvalue.TaggedOutput]:
        messages = self.waiting.pop(number)
        end = (number + 1) * self.settings.window_seconds
        articles, rejects, letters = read_messages(
            messages,
            self.settings.subscription,
            self.settings.fields,
            datetime.datetime.fromtimestamp(end, datetime.UTC),
        )
        # Within the window, where the first second of it is as good as any.
        began = Timestamp(end - self.settings.window_seconds)
        for batch in (articles, rejects):
            if batch.num_rows:
                yield beam.pvalue.TaggedOutput("batches", _at(began, batch))
        for letter in letters:
            yield beam.pvalue.TaggedOutput("dead", _at(began, letter))


def _at(time: Timestamp, value: object) -> WindowedValue:
    return WindowedValue(value, time, [GlobalWindow()])


@dataclasses.dataclass(eq=False)
class ReadMessages(beam.PTransform):
    """Read messages as articles.

    Takes Message elements, each with the time that it came, in the global window. Gives a
    dict: `batches`, of ARTICLE rows with the columns of `rule_lines`, or of REJECT rows,
    each with a time in the window that its messages came in; and `dead` (DeadLetter).

    Attributes:
      subscription: that they come by.
      fields: our name of a field -> its name in the input.
      window_seconds: length of a window.
    """

    subscription: str
    fields: Mapping[str, str]
    window_seconds: int

    def expand(self, messages: beam.PCollection[Message]) -> Collections:
        """Read bundle by bundle."""
        read = messages | "Read" >> beam.ParDo(_ReadMessages(self)).with_outputs(
            "batches", "dead"
        )
        return {"batches": read["batches"], "dead": read["dead"]}


class _SendOn(beam.DoFn):
    """Publishes the letters of a bundle."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.letters: list[DeadLetter] = []

    def setup(self) -> None:
        self.to = DeadLetters(self.topic)

    def start_bundle(self) -> None:
        self.letters.clear()

    def process(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    def finish_bundle(self) -> None:
        self.to.publish(self.letters)

    def teardown(self) -> None:
        self.to.close()


@dataclasses.dataclass(eq=False)
class SendOn(beam.PTransform):
    """Send letters on to a topic; when a bundle is done, the server has its letters.

    Attributes:
      topic: projects/PROJECT/topics/NAME.
    """

    topic: str

    def expand(self, letters: beam.PCollection[DeadLetter]) -> beam.PCollection[None]:
        """Publish bundle by bundle."""
        return letters | "Publish" >> beam.ParDo(_SendOn(self.topic))
