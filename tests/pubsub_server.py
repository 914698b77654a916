"""A small Pub/Sub server, in this process: what the tests talk to instead of Google's.

It knows topics, subscriptions, pulls, acknowledgements and deadlines, keeps to the limits
that the service documents, and answers what it does not know with UNIMPLEMENTED. Time
passes only when a test says so (`advance`), and what happens to a message in the real
service now and then happens here when a test says so (`redeliver`, `refuse`).
"""

import dataclasses
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, Self

import grpc
from google.cloud.pubsub_v1 import types
from google.protobuf import any_pb2, empty_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

START_SECONDS = 1_747_353_600.0
ACK_DEADLINE_SECONDS = 10
MAX_ACK_REQUEST_BYTES = 512 << 10
MAX_PUBLISH_REQUEST_BYTES = 10_000_000
MAX_ATTRIBUTES, MAX_KEY_BYTES, MAX_VALUE_BYTES = 100, 256, 1_024
# About as long as the service's.
ACK_ID_CHARACTERS = 176
WAIT_SECONDS = 60.0
# A call that has less time left is given nothing: its client may not hear of it any more,
# and to find the message with nobody is what a test may wait for next.
MARGIN_SECONDS = 0.05
NOT_FOUND = grpc.StatusCode.NOT_FOUND
INVALID = grpc.StatusCode.INVALID_ARGUMENT


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(
        self, code: grpc.StatusCode, detail: str, told: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.told = code, detail, told


@dataclasses.dataclass
class Delivery:
    """What a subscription knows of one message."""

    message: types.PubsubMessage
    ack_id: str = ""
    # While it is later than the clock, the message is with somebody.
    leased_until: float = 0.0
    deliveries: int = 0
    is_acknowledged: bool = False


@dataclasses.dataclass
class Subscribed:
    """A subscription and its messages by their ids."""

    proto: types.Subscription
    deliveries: dict[str, Delivery] = dataclasses.field(default_factory=dict)
    acknowledged: list[str] = dataclasses.field(default_factory=list)


class PubSubServer:
    """A server on a free port of this machine.

    Attributes:
      address: host and port, for PUBSUB_EMULATOR_HOST.
      now: its clock, in seconds since 1970.
      calls: how often each method was called.
      ack_deadline: seconds, in place of every subscription's own; None: theirs.
      most_per_pull: messages of an answer at most; the service, too, gives fewer than
        it is asked for.
      exactly_once: refuse acknowledgements that come too late, as subscriptions with
        exactly-once delivery do.
    """

    def __init__(
        self,
        *,
        ack_deadline: float | None = None,
        most_per_pull: int = 1_000,
        exactly_once: bool = False,
    ) -> None:
        self.ack_deadline = ack_deadline
        self.most_per_pull = most_per_pull
        self.exactly_once = exactly_once
        self.now = START_SECONDS
        self.calls: Counter[str] = Counter()
        self._published: dict[str, list[types.PubsubMessage]] = {}
        self._subscribed: dict[str, Subscribed] = {}
        self._refusals: dict[str, deque[RefusedError | None]] = {}
        self._last_id = 0
        self._is_stopping = False
        # Guards all of the above; notified whenever messages may have become available.
        self._changed = threading.Condition()
        self._server = grpc.server(
            futures.ThreadPoolExecutor(16),
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
            ],
        )
        for name, methods in self._services().items():
            handlers = {
                method: grpc.unary_unary_rpc_method_handler(
                    self._handler(method, function),
                    request_deserializer=request.deserialize,
                    response_serializer=(
                        empty_pb2.Empty.SerializeToString
                        if answer is None
                        else answer.serialize
                    ),
                )
                for method, (function, request, answer) in methods.items()
            }
            handler = grpc.method_handlers_generic_handler(
                f"google.pubsub.v1.{name}", handlers
            )
            self._server.add_generic_rpc_handlers((handler,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End every call and the server."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._server.stop(None).wait()

    # What a test does.

    def create(self, topic: str, *subscriptions: str) -> None:
        """Create a topic, if it is not there, and subscriptions to it."""
        with self._changed:
            self._published.setdefault(topic, [])
            for name in subscriptions:
                self._create_subscription(types.Subscription(name=name, topic=topic))

    def publish(self, topic: str, *payloads: bytes, **attributes: str) -> list[str]:
        """Publish messages; give their ids."""
        messages = [
            types.PubsubMessage(data=data, attributes=attributes) for data in payloads
        ]
        with self._changed:
            return list(
                self._publish(
                    types.PublishRequest(topic=topic, messages=messages)
                ).message_ids
            )

    def published(self, topic: str) -> list[types.PubsubMessage]:
        """Give all messages of a topic in the order in which they came."""
        with self._changed:
            return list(self._published[topic])

    def acknowledged(self, subscription: str) -> list[str]:
        """Give the ids of acknowledged messages in the order in which they were.

        A message that was acknowledged, came again and was acknowledged is there twice.
        """
        with self._changed:
            return list(self._subscribed[subscription].acknowledged)

    def outstanding(self, subscription: str) -> list[str]:
        """Give the ids of messages that are not acknowledged, delivered or not."""
        with self._changed:
            found = self._subscribed[subscription].deliveries.values()
            return [one.message.message_id for one in found if not one.is_acknowledged]

    def deliveries(self, subscription: str) -> dict[str, int]:
        """Give how often each message was delivered, by its id."""
        with self._changed:
            found = self._subscribed[subscription].deliveries
            return {name: one.deliveries for name, one in found.items()}

    def advance(self, seconds: float) -> None:
        """Let time pass: what is not acknowledged by its deadline comes again."""
        with self._changed:
            self.now += seconds
            self._changed.notify_all()

    def redeliver(
        self, subscription: str, message_ids: Sequence[str] | None = None
    ) -> None:
        """Let acknowledged messages come again, as the service now and then does."""
        with self._changed:
            for name, one in self._subscribed[subscription].deliveries.items():
                if one.is_acknowledged and (message_ids is None or name in message_ids):
                    one.is_acknowledged, one.leased_until = False, self.now
            self._changed.notify_all()

    def refuse(
        self,
        method: str,
        code: grpc.StatusCode,
        detail: str = "on purpose",
        *,
        times: int = 1,
        after: int = 0,
    ) -> None:
        """Answer calls of a method ("Pull", "Publish", ...) with an error.

        Args:
          method: as the service names it.
          code: what the error is.
          detail: what it says.
          times: how many calls are answered so.
          after: how many calls before are answered as always.
        """
        with self._changed:
            pending = self._refusals.setdefault(method, deque())
            pending.extend([None] * after + [RefusedError(code, detail)] * times)

    # What a client asks for.

    def _services(self) -> dict[str, dict[str, tuple[Callable[..., Any], Any, Any]]]:
        return {
            "Publisher": {
                "CreateTopic": (self._create_topic, types.Topic, types.Topic),
                "GetTopic": (self._get_topic, types.GetTopicRequest, types.Topic),
                "DeleteTopic": (self._delete_topic, types.DeleteTopicRequest, None),
                "Publish": (self._publish, types.PublishRequest, types.PublishResponse),
            },
            "Subscriber": {
                "CreateSubscription": (
                    self._create_subscription,
                    types.Subscription,
                    types.Subscription,
                ),
                "GetSubscription": (
                    self._get_subscription,
                    types.GetSubscriptionRequest,
                    types.Subscription,
                ),
                "DeleteSubscription": (
                    self._delete_subscription,
                    types.DeleteSubscriptionRequest,
                    None,
                ),
                "Pull": (self._pull, types.PullRequest, types.PullResponse),
                "Acknowledge": (self._acknowledge, types.AcknowledgeRequest, None),
                "ModifyAckDeadline": (
                    self._modify_ack_deadline,
                    types.ModifyAckDeadlineRequest,
                    None,
                ),
            },
        }

    def _handler(
        self, method: str, function: Callable[..., Any]
    ) -> Callable[[Any, grpc.ServicerContext], Any]:
        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                with self._changed:
                    self.calls[method] += 1
                    pending = self._refusals.get(method)
                    if pending and (refused := pending.popleft()):
                        raise refused
                    if method == "Pull":
                        return function(request, context)
                    answer = function(request)
                    return empty_pb2.Empty() if answer is None else answer
            except RefusedError as refusal:
                if refusal.told is None:
                    context.abort(refusal.code, refusal.detail)
                context.abort_with_status(rpc_status.to_status(_told(refusal)))

        return handle

    def _topic(self, name: str) -> list[types.PubsubMessage]:
        if name not in self._published:
            raise RefusedError(
                NOT_FOUND, f"Resource not found (resource={_last_part(name)})."
            )
        return self._published[name]

    def _subscription(self, name: str) -> Subscribed:
        if name not in self._subscribed:
            raise RefusedError(
                NOT_FOUND, f"Resource not found (resource={_last_part(name)})."
            )
        return self._subscribed[name]

    def _create_topic(self, topic: types.Topic) -> types.Topic:
        if topic.name in self._published:
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, "Resource already exists.")
        self._published[topic.name] = []
        return topic

    def _get_topic(self, request: types.GetTopicRequest) -> types.Topic:
        self._topic(request.topic)
        return types.Topic(name=request.topic)

    def _delete_topic(self, request: types.DeleteTopicRequest) -> None:
        self._topic(request.topic)
        del self._published[request.topic]

    def _publish(self, request: types.PublishRequest) -> types.PublishResponse:
        topic = self._topic(request.topic)
        if not 1 <= len(request.messages) <= 1_000:
            raise RefusedError(INVALID, f"1 to 1000 messages, got {len(request.messages)}.")
        if _size(request) > MAX_PUBLISH_REQUEST_BYTES:
            raise RefusedError(INVALID, f"Request too large: {_size(request)} bytes.")
        for message in request.messages:
            _check_message(message)
        ids = []
        for given in request.messages:
            self._last_id += 1
            seconds, rest = divmod(self.now, 1)
            message = types.PubsubMessage(
                data=given.data,
                attributes=given.attributes,
                ordering_key=given.ordering_key,
                message_id=str(self._last_id),
            )
            stamp = types.PubsubMessage.pb(message).publish_time
            stamp.seconds, stamp.nanos = int(seconds), int(rest * 1e9)
            topic.append(message)
            for subscribed in self._subscribed.values():
                if subscribed.proto.topic == request.topic:
                    subscribed.deliveries[message.message_id] = Delivery(message)
            ids.append(message.message_id)
        self._changed.notify_all()
        return types.PublishResponse(message_ids=ids)

    def _create_subscription(self, given: types.Subscription) -> types.Subscription:
        self._topic(given.topic)
        if given.name in self._subscribed:
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, "Resource already exists.")
        given.ack_deadline_seconds = given.ack_deadline_seconds or ACK_DEADLINE_SECONDS
        self._subscribed[given.name] = Subscribed(given)
        return given

    def _get_subscription(
        self, request: types.GetSubscriptionRequest
    ) -> types.Subscription:
        return self._subscription(request.subscription).proto

    def _delete_subscription(self, request: types.DeleteSubscriptionRequest) -> None:
        self._subscription(request.subscription)
        del self._subscribed[request.subscription]
        self._changed.notify_all()

    def _pull(
        self, request: types.PullRequest, context: grpc.ServicerContext
    ) -> types.PullResponse:
        if request.max_messages < 1:
            raise RefusedError(INVALID, "max_messages must be positive.")
        # A client that goes away must not be given messages, nor hold a thread.
        context.add_callback(self._wake)
        while not self._is_stopping:
            subscribed = self._subscription(request.subscription)
            remaining = context.time_remaining()
            left = (WAIT_SECONDS if remaining is None else remaining) - MARGIN_SECONDS
            if left <= 0 or not context.is_active():
                break
            received = self._delivered(subscribed, request.max_messages)
            if received or request.return_immediately:
                return types.PullResponse(received_messages=received)
            self._changed.wait(min(left, WAIT_SECONDS))
        return types.PullResponse()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _delivered(self, subscribed: Subscribed, count: int) -> list[types.ReceivedMessage]:
        received = []
        for one in subscribed.deliveries.values():
            if len(received) == min(count, self.most_per_pull):
                break
            if one.is_acknowledged or one.leased_until > self.now:
                continue
            one.deliveries += 1
            ack_id = f"{one.message.message_id}-{one.deliveries}-"
            one.ack_id = ack_id.ljust(ACK_ID_CHARACTERS, "x")
            deadline = self.ack_deadline
            if deadline is None:
                deadline = subscribed.proto.ack_deadline_seconds
            one.leased_until = self.now + deadline
            received.append(types.ReceivedMessage(ack_id=one.ack_id, message=one.message))
        return received

    def _acknowledge(self, request: types.AcknowledgeRequest) -> None:
        held, late = self._held(request)
        subscribed = self._subscription(request.subscription)
        for one in held:
            one.is_acknowledged = True
            subscribed.acknowledged.append(one.message.message_id)
        self._refuse_late(late)

    def _modify_ack_deadline(self, request: types.ModifyAckDeadlineRequest) -> None:
        if not 0 <= request.ack_deadline_seconds <= 600:
            raise RefusedError(INVALID, f"0 to 600, got {request.ack_deadline_seconds}.")
        held, late = self._held(request)
        for one in held:
            one.leased_until = self.now + request.ack_deadline_seconds
        self._changed.notify_all()
        self._refuse_late(late)

    def _held(self, request: Any) -> tuple[list[Delivery], list[str]]:
        """Give what the named deliveries are of, and the names of those that are over."""
        subscribed = self._subscription(request.subscription)
        if not request.ack_ids:
            raise RefusedError(INVALID, "No ack ids specified.")
        if _size(request) > MAX_ACK_REQUEST_BYTES:
            raise RefusedError(INVALID, f"Request too large: {_size(request)} bytes.")
        held, late = [], []
        for ack_id in request.ack_ids:
            one = subscribed.deliveries.get(ack_id.partition("-")[0])
            if one is None or len(ack_id) != ACK_ID_CHARACTERS:
                raise RefusedError(INVALID, "Some ack ids in the request were invalid.")
            is_leased = not one.is_acknowledged and one.leased_until > self.now
            if is_leased and one.ack_id == ack_id:
                held.append(one)
            else:
                late.append(ack_id)
        return held, late

    def _refuse_late(self, ack_ids: list[str]) -> None:
        if ack_ids and self.exactly_once:
            told = dict.fromkeys(ack_ids, "PERMANENT_FAILURE_INVALID_ACK_ID")
            code = grpc.StatusCode.FAILED_PRECONDITION
            raise RefusedError(code, "Some acknowledgement ids were invalid.", told)


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]


def _size(request: Any) -> int:
    return type(request).pb(request).ByteSize()


def _check_message(message: types.PubsubMessage) -> None:
    if not message.data and not message.attributes:
        raise RefusedError(INVALID, "A message must have data or attributes.")
    if len(message.attributes) > MAX_ATTRIBUTES:
        raise RefusedError(INVALID, f"Too many attributes: {len(message.attributes)}.")
    for name, value in message.attributes.items():
        if not 1 <= len(name.encode()) <= MAX_KEY_BYTES or name.startswith("goog"):
            raise RefusedError(INVALID, f"Not an attribute's name: {name}.")
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise RefusedError(INVALID, f"The value of {name} is too long.")


def _told(refusal: RefusedError) -> status_pb2.Status:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(metadata=refusal.told))
    code = refusal.code.value[0]
    return status_pb2.Status(code=code, message=refusal.detail, details=[detail])
