"""Subscriptions: messages are pulled, held and acknowledged, dead letters are published.

Errors are of builtin kinds and of one sentence: ValueError for what does not exist or is
refused, PermissionError for credentials, ConnectionError for what cannot be reached. Until
the server has answered once they are raised at once, as mistakes of the caller. After that
a server out of order is waited for, `PATIENCE_SECONDS` at most.

With PUBSUB_EMULATOR_HOST set the client talks to that server, without credentials.
"""

import functools
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar

import google.cloud.pubsub_v1 as pubsub_v1
import google.pubsub_v1
import grpc
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError

from transforms.messages import (
    FRAME_BYTES,
    MAX_PUBLISH_REQUEST_BYTES,
    DeadLetter,
    Message,
    attribute_bytes,
)
from transforms.reading import BATCH_BYTES

# How long an outage is waited for, once the server has answered, before it is an error.
PATIENCE_SECONDS = 300.0
# An answer that takes longer is none. (A pull is given the time it may wait.)
ANSWER_SECONDS = 20.0
# What the service takes, a little below what it says that it does.
MAX_ITEMS_PER_REQUEST = 1_000
MAX_ACK_REQUEST_BYTES = 500_000
MAX_LEASE_SECONDS = 600

_SUBSCRIPTION = re.compile(
    r"projects/[\w.:-]+/subscriptions/[A-Za-z][\w.~+%-]{2,254}", re.ASCII
)
_TOPIC = re.compile(r"projects/[\w.:-]+/topics/[A-Za-z][\w.~+%-]{2,254}", re.ASCII)
# What passes by itself.
_OUTAGES = (
    exceptions.ServiceUnavailable,
    exceptions.InternalServerError,
    exceptions.Unknown,
    exceptions.Aborted,
    exceptions.TooManyRequests,
)

T = TypeVar("T")


def checked_subscription(path: str) -> str:
    """Give the path of a subscription back if it is one.

    Raises:
      ValueError: if it is not of the form projects/PROJECT/subscriptions/NAME.
    """
    if not _SUBSCRIPTION.fullmatch(path):
        raise ValueError(
            f"subscription must be projects/PROJECT/subscriptions/NAME, got {path!r}"
        )
    return path


def checked_topic(path: str) -> str:
    """Give the path of a topic back if it is one.

    Raises:
      ValueError: if it is not of the form projects/PROJECT/topics/NAME.
    """
    if not _TOPIC.fullmatch(path):
        raise ValueError(f"topic must be projects/PROJECT/topics/NAME, got {path!r}")
    return path


def requests_of(
    items: Iterable[T], size_of: Callable[[T], int], *, max_items: int, max_bytes: int
) -> Iterator[list[T]]:
    """Put items into as few requests as hold them in their order; one item always fits.

    >>> list(requests_of(["a", "bcd", "ef"], len, max_items=9, max_bytes=4))
    [['a', 'bcd'], ['ef']]
    """
    request: list[T] = []
    total = 0
    for item in items:
        size = size_of(item)
        if request and (len(request) == max_items or total + size > max_bytes):
            yield request
            request, total = [], 0
        request.append(item)
        total += size
    if request:
        yield request


class _Server:
    """What stands at the other end: its errors as sentences, its outages waited for."""

    def __init__(self, kind: str, path: str) -> None:
        self.kind, self.path = kind, path
        self.has_answered = False

    def client(self, make: Callable[[], T]) -> T:
        try:
            return make()
        except GoogleAuthError as error:
            raise PermissionError(
                f"{self.kind} {self.path} needs credentials: {_said(error)}"
            ) from error

    def call(
        self,
        method: Callable[..., Any],
        request: Mapping[str, object],
        *,
        seconds: float = ANSWER_SECONDS,
        waits_for: tuple[type[Exception], ...] = (*_OUTAGES, exceptions.DeadlineExceeded),
        patient: bool = True,
    ) -> Any:
        """Call a method of the client; give its answer."""
        retry = None
        if self.has_answered and patient:
            retry = Retry(
                if_exception_type(*waits_for), maximum=10, timeout=PATIENCE_SECONDS
            )
        try:
            answer = method(request=request, retry=retry, timeout=seconds)
        except exceptions.RetryError as error:
            raise self._error(error.cause) from error
        except exceptions.GoogleAPICallError as error:
            raise self._error(error) from error
        self.has_answered = True
        return answer

    def _error(self, error: Exception | None) -> OSError | ValueError:
        if isinstance(error, exceptions.NotFound):
            return ValueError(f"{self.kind} must exist, got {self.path}")
        if isinstance(error, exceptions.Forbidden | exceptions.Unauthorized):
            return PermissionError(
                f"{self.kind} must be open to the credentials in use, got {self.path}: "
                f"{_said(error)}"
            )
        if isinstance(error, exceptions.BadRequest):
            return ValueError(f"{self.kind} {self.path} refused a request: {_said(error)}")
        return ConnectionError(
            f"{self.kind} must be in reach, got {self.path}: {_said(error)}"
        )


def _said(error: object) -> str:
    text = str(getattr(error, "message", error)).partition("\n")[0]
    return text[:200].rstrip(". ")


def _subscriber() -> Any:
    address = os.environ.get("PUBSUB_EMULATOR_HOST")
    if not address:
        return pubsub_v1.SubscriberClient()
    # The channel that the client itself makes for an emulator takes no answer above 4 MiB,
    # which a hundred messages may be.
    unlimited = [("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(address, options=unlimited)
    transport = pubsub_v1.SubscriberClient.get_transport_class("grpc")(channel=channel)
    return pubsub_v1.SubscriberClient(transport=transport)


class Subscription:
    """A subscription that messages are pulled from, one request after the other.

    May be used by several threads at a time: one that pulls, one that extends.

    Attributes:
      path: projects/PROJECT/subscriptions/NAME.
    """

    def __init__(self, path: str) -> None:
        """Make a client; nothing is asked of the server yet.

        Raises:
          ValueError: if the path is none.
          PermissionError: if there are no credentials.
        """
        self.path = checked_subscription(path)
        self._server = _Server("subscription", path)
        self._client = self._server.client(_subscriber)

    def __enter__(self) -> Self:
        """Give this subscription."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connection; messages not acknowledged come again."""
        self._client.close()

    def check(self) -> None:
        """Find out whether messages can be pulled, before anything rests on it.

        Looks by pulling a message and giving it back, which takes no right but that.

        Raises:
          ValueError: if there is no such subscription, or it pushes.
          PermissionError: if the credentials may not pull.
          ConnectionError: if the server does not answer.
        """
        # Without return_immediately no message and no server would look the same.
        looked = self._pulled(1, ANSWER_SECONDS, return_immediately=True)
        self.extend([message.ack_id for message in looked], 0)

    def pull(
        self, max_messages: int, seconds: float, *, lease_seconds: int = 60
    ) -> list[Message]:
        """Gather messages until there are enough or the time is over.

        Enough are `max_messages`, or so many that their data reaches `BATCH_BYTES`. Of a
        message that comes again meanwhile the later delivery counts.

        Args:
          max_messages: at least 1.
          seconds: to wait, above 0. An outage is waited for beyond that, if no message
            has been gathered.
          lease_seconds: for how long the server gives a message to nobody else after it
            is given here, at least; `extend` gives more.

        Returns:
          Distinct messages, in the order in which they came; none if there were none.

        Raises:
          ValueError, PermissionError, ConnectionError: as `check` does.
        """
        if max_messages < 1 or not 0 < seconds <= MAX_LEASE_SECONDS - lease_seconds:
            raise ValueError(
                f"max_messages must be at least 1, seconds above 0 and at most "
                f"{MAX_LEASE_SECONDS} with lease_seconds, got {max_messages}, {seconds} "
                f"and {lease_seconds}"
            )
        if not self._server.has_answered:
            self.check()
        found: dict[str, Message] = {}
        size = 0
        until = time.monotonic() + seconds
        while (
            len(found) < max_messages
            and size < BATCH_BYTES
            and (left := until - time.monotonic()) > 0
        ):
            count = min(max_messages - len(found), MAX_ITEMS_PER_REQUEST)
            try:
                messages = self._pulled(count, left, patient=not found)
                lease = math.ceil(left) + lease_seconds
                self.extend([message.ack_id for message in messages], lease)
            except ConnectionError:
                if not found:
                    raise
                break
            size += sum(len(message.data) for message in messages)
            found |= {message.message_id: message for message in messages}
        return list(found.values())

    def _pulled(
        self,
        count: int,
        seconds: float,
        *,
        return_immediately: bool = False,
        patient: bool = True,
    ) -> list[Message]:
        request = {"subscription": self.path, "max_messages": count}
        if return_immediately:
            request["return_immediately"] = True
        try:
            answer = self._server.call(
                self._client.pull,
                request,
                seconds=seconds,
                waits_for=_OUTAGES,
                patient=patient,
            )
        except ConnectionError as error:
            # Once it has answered, a server without an answer has no message.
            if self._server.has_answered and isinstance(
                error.__cause__, exceptions.DeadlineExceeded
            ):
                return []
            raise
        # Its wrapper takes ten times as long to give a field.
        received = pubsub_v1.types.PullResponse.pb(answer).received_messages
        return [
            Message(
                data=one.message.data,
                message_id=one.message.message_id,
                published=one.message.publish_time.ToMicroseconds(),
                attributes=dict(one.message.attributes),
                ack_id=one.ack_id,
            )
            for one in received
        ]

    def acknowledge(self, ack_ids: Iterable[str]) -> None:
        """Tell the server that these messages need not come again.

        Acknowledged too late they do: no error, since they may at any time.

        Raises:
          ValueError, PermissionError, ConnectionError: as `check` does; then some may be
            acknowledged and others not.
        """
        self._send(self._client.acknowledge, ack_ids)

    def extend(self, ack_ids: Iterable[str], seconds: int) -> None:
        """Let the server wait this long from now before it gives the messages again.

        Args:
          ack_ids: of messages not acknowledged; those whose time is over come again.
          seconds: 0 to 600; 0 gives them back at once.

        Raises:
          ValueError: if it is no such time.
          ValueError, PermissionError, ConnectionError: as `check` does.
        """
        if not 0 <= seconds <= MAX_LEASE_SECONDS:
            raise ValueError(
                f"a deadline must be 0 to {MAX_LEASE_SECONDS} seconds away, got {seconds}"
            )
        self._send(
            self._client.modify_ack_deadline, ack_ids, {"ack_deadline_seconds": seconds}
        )

    def _send(
        self,
        method: Callable[..., Any],
        ack_ids: Iterable[str],
        options: Mapping[str, object] | None = None,
    ) -> None:
        for ids in requests_of(
            ack_ids,
            lambda ack_id: len(ack_id) + FRAME_BYTES,
            max_items=MAX_ITEMS_PER_REQUEST,
            max_bytes=MAX_ACK_REQUEST_BYTES,
        ):
            request = {"subscription": self.path, "ack_ids": ids, **(options or {})}
            try:
                self._server.call(method, request)
            except (ValueError, ConnectionError) as error:
                # A subscription with exactly-once delivery names those that came too late.
                named = getattr(error.__cause__, "metadata", None) or {}
                if not named.keys() & set(ids):
                    raise


class DeadLetters:
    """A topic that messages are sent on to.

    Attributes:
      path: projects/PROJECT/topics/NAME.
    """

    def __init__(self, path: str) -> None:
        """Make a client; nothing is asked of the server yet.

        Raises:
          ValueError: if the path is none.
          PermissionError: if there are no credentials.
        """
        self.path = checked_topic(path)
        self._server = _Server("topic", path)
        self._client = self._server.client(pubsub_v1.PublisherClient)

    def __enter__(self) -> Self:
        """Give this topic."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.transport.close()

    def check(self) -> None:
        """Find out whether the topic is there, before anything rests on it.

        Raises:
          ValueError: if there is no such topic.
          ConnectionError: if the server does not answer.
        """
        try:
            self._server.call(self._client.get_topic, {"topic": self.path})
        except PermissionError as error:
            # Who may publish need not be allowed to look.
            if not isinstance(error.__cause__, exceptions.PermissionDenied):
                raise
            self._server.has_answered = True

    def publish(self, letters: Iterable[DeadLetter]) -> None:
        """Send messages on; when this returns, the server has them.

        Raises:
          ValueError: if there is no such topic, or it refuses a message.
          PermissionError: if the credentials may not publish.
          ConnectionError: if the server does not answer; some messages may have been
            sent, and are sent twice if this is tried again.
        """
        # The client's own takes attributes as arguments: none may be called "data".
        publish = functools.partial(google.pubsub_v1.PublisherClient.publish, self._client)
        for request in requests_of(
            letters,
            lambda letter: len(letter.data) + attribute_bytes(letter.attributes),
            max_items=MAX_ITEMS_PER_REQUEST,
            max_bytes=MAX_PUBLISH_REQUEST_BYTES,
        ):
            messages = [letter._asdict() for letter in request]
            self._server.call(publish, {"topic": self.path, "messages": messages})
