"""Messages: articles that arrive over Pub/Sub become raw rows, and go on if they cannot.

One message is one JSON object is one article, checked as a line of a JSON lines file is.

Pub/Sub delivers every message at least once. What is not acknowledged in time comes
again, and so may what was, hours later and to another process. Order is not kept: an
article may arrive before an older one. From this follows how the messages are used:

* A message is acknowledged after all that became of it is on disk, never before: whatever
  dies in between, it comes again.
* What is done with a message must be harmless when done twice. A message that comes again
  has its `message_id` again, hence its row has its file, its position and its id again. An
  article that is published twice has two message ids: only its own id or url tells.
* Nothing may depend on the order of messages, or on which share a batch.
* While a message is worked on its deadline is extended, by more than the work takes.

A reject is written to its table, and its message can also be sent on to a topic for dead
letters, with the reason, for a person to look at and to publish again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from schemas.article import RAW, REJECT
from schemas.batch import concatenate
from transforms.decoding import utf8_chunks
from transforms.formats import Reject, Row, json_row, too_long
from transforms.reading import MAX_ROW_BYTES, row_batches

# What the service takes, a little below what it says that it does.
MAX_PUBLISH_REQUEST_BYTES = 9_900_000
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_BYTES = 1_024
# What an item of a request takes beside its own bytes, at most.
FRAME_BYTES = 16


class Message(NamedTuple):
    """A message as delivered."""

    data: bytes
    # Given by the server when published; a message that comes again has it again.
    message_id: str
    # Microseconds since 1970, UTC, when the server received it.
    published: int
    attributes: dict[str, str]
    # Names this delivery: what is acknowledged and extended.
    ack_id: str


class DeadLetter(NamedTuple):
    """A message to be sent on: the bytes as they came, and why they are no article."""

    data: bytes
    attributes: dict[str, str]


def message_file(subscription: str, message_id: str) -> str:
    """Name a message as the `file` of its row.

    >>> message_file("projects/news/subscriptions/scraped", "8112")
    'projects/news/subscriptions/scraped#8112'
    """
    return f"{subscription}#{message_id}"


def raw_rows(
    payloads: Sequence[bytes],
    files: Sequence[str],
    fields: Mapping[str, str],
    *,
    max_row_bytes: int = MAX_ROW_BYTES,
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Read messages as lines of a JSON lines file are read; every message gives one row.

    A message may hold its object in several lines. An empty one is a reject: where an
    empty line is nothing, a message was meant to be something.

    Args:
      payloads: the data of n messages.
      files: shape (n,). What names each message, see `message_file`.
      fields: our name of a field -> its name in the input, as of `checked_fields`.
      max_row_bytes: a longer message is rejected.

    Returns:
      raw: of RAW, position 1, in the order of the messages.
      rejects: of REJECT, likewise. Both together have n rows.
    """
    found = zip(files, (_row(data, max_row_bytes) for data in payloads), strict=True)
    batches: dict[str, list[pa.RecordBatch]] = {"raw": [], "rejects": []}
    for name, batch in row_batches(
        found, fields, batch_size=len(payloads) + 1, max_row_bytes=max_row_bytes
    ):
        if name in batches:
            batches[name].append(batch)
    return concatenate(batches["raw"], RAW), concatenate(batches["rejects"], REJECT)


def _row(data: bytes, max_row_bytes: int) -> Row | Reject:
    repaired, chunks = utf8_chunks([data])
    text = b"".join(chunks)
    if len(text) > max_row_bytes:
        return too_long(1, f"a message, got {len(text):,} bytes", max_row_bytes)
    return json_row(1, text, repaired)


def dead_letters(
    rejects: pa.RecordBatch, messages: Mapping[str, Message]
) -> list[DeadLetter]:
    """Give the messages of rejected rows, with what a person needs to know of each.

    The bytes are those that came, and so are the attributes, but for the server's own
    ("goog..."). Beside them stand newsdedup_reason, newsdedup_detail, newsdedup_file (the
    subscription and the message id) and, where it is known, newsdedup_article_id. A message
    that would become too large for the service by them is cut, and has newsdedup_cut.

    Args:
      rejects: of REJECT.
      messages: the messages by their `file`.

    Raises:
      KeyError: if a reject is of none of the messages.
    """
    return [
        _dead_letter(messages[reject["file"]], reject) for reject in rejects.to_pylist()
    ]


def _dead_letter(message: Message, reject: Mapping[str, Any]) -> DeadLetter:
    names = ("reason", "detail", "file", "article_id")
    ours = {f"newsdedup_{name}": reject[name] for name in names if reject[name]}
    theirs = [
        name for name in message.attributes if not name.startswith(("goog", "newsdedup_"))
    ]
    attributes = {name: message.attributes[name] for name in theirs}
    while len(attributes) + len(ours) >= MAX_ATTRIBUTES:
        attributes.popitem()
    attributes |= {name: _shortened(value) for name, value in ours.items()}
    room = MAX_PUBLISH_REQUEST_BYTES - attribute_bytes(attributes) - 100
    if len(message.data) > room:
        attributes["newsdedup_cut"] = f"from {len(message.data)} bytes"
    return DeadLetter(message.data[:room], attributes)


def _shortened(value: str) -> str:
    return value.encode()[:MAX_ATTRIBUTE_BYTES].decode(errors="ignore")


def attribute_bytes(attributes: Mapping[str, str]) -> int:
    """Count what attributes take in a request, at most."""
    return sum(
        len(name.encode()) + len(value.encode()) + FRAME_BYTES
        for name, value in attributes.items()
    )
