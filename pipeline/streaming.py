"""A stream: articles that come over Pub/Sub are placed in stories within minutes.

    messages -> articles, rejects -> windows by language -> placed -> Parquet

One graph of Beam, run in two ways. A runner that streams (Dataflow) reads the subscription
itself and acknowledges a message when what became of it is kept. No runner of one process
does both: Beam's local one acknowledges what it has just pulled, and what it knows dies
with it. So here the messages of each window are pulled by us, given to the same graph as a
bounded pipeline, and acknowledged when its files are written. A stream that is killed at
any moment loses nothing: what it had not acknowledged comes again, and what it had written
is left out when it does.

What is written is provisional. A scheduled run over what the stream received is the
authority, and keeps the stream's ids where it agrees (`run --keep-ids`).
"""

import contextlib
import dataclasses
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.window import TimestampedValue

from pipeline.batch import (
    check_links,
    check_models,
    model_contents,
    remembered_furniture,
)
from pipeline.config import Config
from pipeline.incremental import differing_settings
from pipeline.launching import Target, run_to_end, target
from pipeline.stages import finding_copies, fingerprinting, follow_ups
from transforms import storage
from transforms.arrivals import ReadMessages, SendOn
from transforms.assigning import AssigningRules
from transforms.embedding_model import load_model
from transforms.listing import absolute
from transforms.messages import Message
from transforms.micro_batches import StreamRules
from transforms.owners import owned
from transforms.parquet import (
    read_manifest,
    staging_folder,
)
from transforms.reading import checked_fields
from transforms.recurrence import recurring_table
from transforms.streams import PlaceWindows
from transforms.subscriptions import (
    MAX_LEASE_SECONDS,
    DeadLetters,
    Subscription,
    checked_subscription,
    checked_topic,
)
from transforms.windows import NAMESPACE, WriteWindows

MOST_MESSAGES = 20_000
# Says by which settings a stream places.
SETTINGS = "settings.json"
_MICROSECONDS = 1_000_000
# Of the time that messages are lent for, what passes before they are lent anew.
_SECONDS_BETWEEN_LEASES = MAX_LEASE_SECONDS / 3


def stream_rules(
    config: Config, *, window_seconds: int, lookback: float, most: int
) -> StreamRules:
    """Say how the articles of a stream are placed.

    Args:
      config: settings.
      window_seconds: length of a window.
      lookback: days that an article is remembered.
      most: articles of a language that are remembered at most.

    Raises:
      ValueError: if one of the numbers is out of its range.
    """
    if window_seconds < 1:
        raise ValueError(f"a window must last 1 second at least, got {window_seconds}")
    if not 0 < lookback < float("inf"):
        raise ValueError(f"lookback must be above 0 days, got {lookback}")
    if most < 1:
        raise ValueError(f"1 article must be remembered at least, got {most}")
    known = remembered_furniture([config.known_furniture])
    return StreamRules(
        fingerprint=fingerprinting(config),
        assigning=AssigningRules(
            copies=finding_copies(config),
            stories=config.stories,
            story_model_folder=config.story_model_folder,
            embedding=config.embedding if config.uses_model else "none",
            embedding_model=config.embedding_model_folder,
            embedding_tokens=config.embedding_tokens,
            follow_up=follow_ups(config),
        ),
        thin_words=config.min_words,
        page_model_folder=config.page_model_folder,
        known=recurring_table(np.zeros((0, 2), np.uint64)) if known is None else known,
        window_seconds=window_seconds,
        lookback=lookback,
        most=most,
    )


def check_settings(output: str, config: Config) -> None:
    """See to it that all streams on a folder decide alike; the first one writes how.

    Raises:
      ValueError: if an earlier stream decided by other settings or models.
    """
    now = {**dataclasses.asdict(config), **model_contents(config)}
    path = storage.join(output, SETTINGS)
    if not storage.exists(path):
        storage.make_folder(output)
        storage.write(path, json.dumps(now, indent=1).encode())
        return
    try:
        before = dict(json.loads(storage.content_of(path)))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is no settings of a stream: {error}") from error
    if differing := differing_settings(before, now):
        told = ", ".join(
            f"{name} was {was} and is {is_now}" for name, (was, is_now) in differing.items()
        )
        raise ValueError(
            f"settings must be those of the earlier streams on {output}: {told}; begin "
            "anew in another folder"
        )


@dataclasses.dataclass(eq=False)
class PlaceStream(beam.PTransform):
    """Place messages, write the windows, send on what cannot be read; give file names.

    Takes Message elements, each with the time that it came, in the global window.

    Attributes:
      subscription: that they come by.
      output: folder of the stream.
      rules: how articles are placed.
      fields: our name of a field -> its name in the input.
      dead_letter: topic that messages are sent on to; None: they are only listed.
      accelerator: of the workers that embed, as of EmbedArticles.
    """

    subscription: str
    output: str
    rules: StreamRules
    fields: Mapping[str, str]
    dead_letter: str | None = None
    accelerator: str = "none"

    def expand(self, messages: beam.PCollection[Message]) -> beam.PCollection[str]:
        """Read, place, write."""
        read = messages | "Read messages" >> ReadMessages(
            self.subscription, self.fields, self.rules.window_seconds
        )
        if self.dead_letter is not None:
            read["dead"] | "Send on" >> SendOn(self.dead_letter)
        return (
            read["batches"]
            | "Place windows" >> PlaceWindows(self.rules, self.output, self.accelerator)
            | "Write windows" >> WriteWindows(self.output)
        )


def build(
    pipeline: beam.Pipeline, place: PlaceStream, source: beam.PTransform | None = None
) -> None:
    """Wire a pipeline that reads the subscription itself, for a runner that streams.

    Args:
      pipeline: it begins here.
      place: what becomes of the messages.
      source: gives PubsubMessage elements, each with the time that it came; by default
        what the subscription delivers.
    """
    if source is None:
        source = ReadFromPubSub(subscription=place.subscription, with_attributes=True)
    (
        pipeline
        | "Receive" >> source
        | "As messages" >> beam.Map(_message)
        | "Stream" >> place
    )


def _message(found: PubsubMessage) -> Message:
    published = int(found.publish_time.timestamp() * _MICROSECONDS)
    return Message(found.data, found.message_id, published, dict(found.attributes), "")


class Job(NamedTuple):
    """A stream that is ready to begin: checked, nothing written so far.

    Attributes:
      place: what becomes of messages.
      config: settings.
      target: where it runs.
    """

    place: PlaceStream
    config: Config
    target: Target

    def pipeline(self) -> beam.Pipeline:
        """Build the graph for a runner that streams."""
        # One stream on a folder has one name, by which it is updated and alone.
        pipeline = self.target.pipeline(f"newsdedup-stream-{self.place.output}")
        build(pipeline, self.place)
        return pipeline


def prepare(
    subscription: str,
    output: str,
    config: Config,
    *,
    fields: Mapping[str, str],
    window_seconds: int = 300,
    lookback: float = 7.0,
    most: int = 100_000,
    dead_letter: str | None = None,
    beam_flags: Sequence[str] = (),
    dry_run: bool = False,
) -> Job:
    """Check a stream before it begins.

    Args:
      subscription: projects/PROJECT/subscriptions/NAME.
      output: folder of the stream.
      config: settings.
      fields: our field -> its name in the input.
      window_seconds: length of a window.
      lookback: days that an article is remembered.
      most: articles of a language that are remembered at most.
      dead_letter: topic that messages are sent on to that cannot be read; None: they are
        only listed in `rejects`.
      beam_flags: flags for Beam itself.
      dry_run: it is not going to be run, and Pub/Sub is not asked.

    Raises:
      ValueError: if a setting, a name or the output folder is refused.
      OSError: if the topic cannot be reached.
    """
    checked_fields(fields)
    checked_subscription(subscription)
    to = target(beam_flags, {"--output": [output]}, streaming=True, dry_run=dry_run)
    if dead_letter is not None:
        checked_topic(dead_letter)
        if not dry_run:
            with DeadLetters(dead_letter) as letters:
                letters.check()
    if read_manifest(output) is not None:
        raise ValueError(
            f"a stream must have a folder of its own, {output} holds a batch run"
        )
    check_links(output)
    check_models(config)
    rules = stream_rules(
        config, window_seconds=window_seconds, lookback=lookback, most=most
    )
    place = PlaceStream(
        subscription,
        absolute(output),
        rules,
        dict(fields),
        dead_letter,
        config.embedding_accelerator,
    )
    return Job(place, config, to)


def stream(
    subscription: str, output: str, config: Config, **given: Any
) -> Iterator[dict[str, int]]:
    """Place what comes over a subscription, for ever.

    Args:
      subscription: as of `prepare`.
      output: folder of the stream.
      config: settings.
      given: as of `prepare`. With a --runner among the flags for Beam the job is handed to
        that runner, and nothing is given.

    Yields:
      What a window came to, by name: as of `windows.COUNTED`, and as of
      `windows.REMEMBERED` of the language that has most.

    Raises:
      ValueError: if a setting, a name or the output folder is refused.
      OSError: if subscription or topic cannot be reached.
    """
    yield from carry_out(prepare(subscription, output, config, **given))


def carry_out(job: Job) -> Iterator[dict[str, int]]:
    """Run a stream that is ready; give what `stream` does."""
    place, config = job.place, job.config
    if not job.target.is_local:
        pipeline = job.pipeline()
        check_settings(place.output, config)
        result = pipeline.run()
        if not job.target.leaves:
            result.wait_until_finish()
        return
    if config.uses_model:
        load_model(config.embedding_model_folder)
    owning = owned(place.output, staging_folder(place.output), what="stream")
    with owning, Subscription(place.subscription) as source:
        source.check()
        check_settings(place.output, config)
        while True:
            messages = source.pull(
                MOST_MESSAGES,
                min(place.rules.window_seconds, MAX_LEASE_SECONDS - 60),
            )
            if messages:
                with _kept(source, messages):
                    counts = place_messages(messages, place, job.target.options)
                yield counts


def place_messages(
    messages: Sequence[Message], place: PlaceStream, options: PipelineOptions
) -> dict[str, int]:
    """Run the graph over the messages of a window; give what it came to.

    Args:
      messages: that were pulled.
      place: how they are placed.
      options: of the pipeline.

    Returns:
      Counts by name: as `stream` gives them.
    """
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=options)
    (
        pipeline
        | "Pulled" >> beam.Create(messages, reshuffle=False)
        | "Came" >> beam.Map(_timestamped)
        | "Stream" >> place
    )
    found = run_to_end(pipeline).metrics().query(MetricsFilter().with_namespace(NAMESPACE))
    counts = {one.key.metric.name: one.committed for one in found["counters"]}
    largest = {one.key.metric.name: one.committed.max for one in found["distributions"]}
    return counts | largest


def _timestamped(message: Message) -> TimestampedValue:
    return TimestampedValue(message, message.published / _MICROSECONDS)


@contextlib.contextmanager
def _kept(source: Subscription, messages: Sequence[Message]) -> Iterator[None]:
    """Keep messages lent to us while they are worked on; then acknowledge them."""
    ack_ids = [message.ack_id for message in messages]
    done = threading.Event()

    def keep() -> None:
        while not done.wait(_SECONDS_BETWEEN_LEASES):
            # One that cannot be kept comes again, which does no harm.
            with contextlib.suppress(OSError, ValueError):
                source.extend(ack_ids, MAX_LEASE_SECONDS)

    source.extend(ack_ids, MAX_LEASE_SECONDS)
    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    source.acknowledge(ack_ids)
