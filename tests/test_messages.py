import json
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest
from google.cloud import pubsub_v1
from hypothesis import given
from hypothesis import strategies as st

from schemas.article import RAW, REJECT, REJECT_REASONS
from transforms import subscriptions
from transforms.messages import (
    DeadLetter,
    Message,
    dead_letters,
    message_file,
    raw_rows,
)
from transforms.reading import read_files
from transforms.subscriptions import (
    DeadLetters,
    Subscription,
    checked_subscription,
    checked_topic,
    requests_of,
)

TOPIC = "projects/news-test/topics/scraped"
DEAD = "projects/news-test/topics/dead"
SUBSCRIPTION = "projects/news-test/subscriptions/scraped"
LIMIT = 10_000
# Long enough never to be reached: every pull here ends because it has what it asked for.
LONG = 60.0
# A pull that ends because there is nothing more waits for this long in vain.
SHORT = 0.1


@pytest.fixture
def scraped(pubsub: Any) -> Any:
    """Give the server with a topic and a subscription to it."""
    pubsub.create(TOPIC, SUBSCRIPTION)
    pubsub.create(DEAD)
    return pubsub


def payloads_of(found: list[Message]) -> list[bytes]:
    return sorted(message.data for message in found)


def ack_ids_of(found: list[Message]) -> list[str]:
    return [message.ack_id for message in found]


def names(count: int) -> list[str]:
    return [message_file(SUBSCRIPTION, str(number)) for number in range(count)]


def rows_of_files(
    folder: Path, payloads: list[bytes], **fields: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read every payload as a JSON lines file of its own, without a line end."""
    paths = []
    for number, data in enumerate(payloads):
        paths.append(folder / f"{number:03}.jsonl")
        paths[-1].write_bytes(data)
    found: dict[str, list[dict[str, Any]]] = {"raw": [], "rejects": []}
    files = [str(path) for path in paths]
    for name, batch in read_files(files, fields, batch_size=9, max_row_bytes=LIMIT):
        if not isinstance(batch, int):
            found[name] += batch.to_pylist()
    return found["raw"], found["rejects"]


def placeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in ("file", "position")}
        for row in rows
    ]


ROWS = [
    {"id": "a", "text": "Rain", "title": "Weather", "url": "https://x.example/1"},
    {"id": 7, "title": "Sun", "source": {"name": "Post"}, "published_at": 1747407840},
    {"id": 1.5, "text": "x"},
    {"text": ["x"]},
    {"id": "b", "headline": "Rain", "body": "It rains."},
    {"id": "c", "text": None, "title": None},
    {"html": "<p>Rain</p>", "language": "en"},
    {"id": "d", "text": "y" * (LIMIT + 1)},
    {"articles": [{"id": "e"}]},
    {},
]
PAYLOADS = [
    *(json.dumps(row).encode() for row in ROWS),
    b'{"id": "a"',
    b'{"id": "a"} {"id": "b"}',
    b"[" * 5_000,
    b'["a"]',
    b"null",
    b"5",
    b'"text"',
    b"Rain is expected.",
    b'{"id": "a", "text": "\x81\x8d\x8f\x9d\x01\x02\x03"}',
    b"\x00\x01\x02\x03",
    '{"text": "Die Brücke"}'.encode("cp1252"),
    '{"text": "Die Brücke"}'.encode("utf-16"),
    '{"text": "Die Brücke"}'.encode("utf-16-le"),
    b'\xef\xbb\xbf{"text": "Rain"}',
    b'{"text": "a\\ud83d b", "title": NaN}',
    b' {"text": "Rain"} \r\n',
]


@pytest.mark.parametrize("fields", [{}, {"text": "body", "title": "headline"}])
def test_messages_give_the_rows_that_lines_of_a_file_give(
    tmp_path: Path, fields: dict[str, str]
) -> None:
    raw, rejects = raw_rows(PAYLOADS, names(len(PAYLOADS)), fields, max_row_bytes=LIMIT)
    of_files, rejects_of_files = rows_of_files(tmp_path, PAYLOADS, **fields)
    assert placeless(raw.to_pylist()) == placeless(of_files)
    told = [
        {**row, "detail": row["detail"].replace("a line,", "a message,")}
        for row in rejects_of_files
    ]
    assert placeless(rejects.to_pylist()) == placeless(told)
    assert raw.num_rows > 2
    assert rejects.num_rows > 9
    assert {row["reason"] for row in told} <= set(REJECT_REASONS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=5,
)
articles = st.dictionaries(
    st.sampled_from(["id", "url", "source", "title", "text", "published_at", "views"]),
    json_values,
)


@given(st.lists(articles.map(lambda row: json.dumps(row).encode()) | st.binary()))
def test_every_message_is_a_row_or_a_reject_under_its_own_name(
    payloads: list[bytes],
) -> None:
    files = names(len(payloads))
    raw, rejects = raw_rows(payloads, files, {})
    found = [*raw.column("file").to_pylist(), *rejects.column("file").to_pylist()]
    assert sorted(found) == sorted(files)
    assert {
        *raw.column("position").to_pylist(),
        *rejects.column("position").to_pylist(),
    } <= {1}
    assert raw.schema == RAW
    assert rejects.schema == REJECT


@given(st.lists(articles, max_size=8))
def test_articles_in_messages_are_those_in_lines_of_one_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    payloads = [json.dumps(row).encode() for row in rows]
    folder = tmp_path_factory.mktemp("lines")
    # A JSON text holds no bare line end, so that one file may hold them all.
    of_file, rejects_of_file = rows_of_files(folder, [b"\n".join(payloads)])
    raw, rejects = raw_rows(payloads, names(len(rows)), {}, max_row_bytes=LIMIT)
    assert placeless(raw.to_pylist()) == placeless(of_file)
    assert placeless(rejects.to_pylist()) == placeless(rejects_of_file)


def test_a_message_may_hold_its_object_in_several_lines() -> None:
    raw, rejects = raw_rows([b'{\n  "id": "a",\n  "text": "x"\n}\n'], names(1), {})
    assert (raw.num_rows, rejects.num_rows) == (1, 0)


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_message_is_a_reject_and_not_nothing(data: bytes) -> None:
    raw, rejects = raw_rows([data], names(1), {})
    (reject,) = rejects.to_pylist()
    assert raw.num_rows == 0
    assert (reject["reason"], reject["file"]) == ("broken_json", names(1)[0])


def test_a_message_above_the_limit_is_rejected_with_its_size() -> None:
    _, rejects = raw_rows([b'{"text": "xxxxxxx"}'], names(1), {}, max_row_bytes=10)
    (reject,) = rejects.to_pylist()
    assert reject["reason"] == "too_long"
    assert reject["detail"] == "a message, got 19 bytes, must have at most 10 bytes"


def test_long_messages_make_one_batch_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.reading.BATCH_BYTES", 50)
    payloads = [json.dumps({"id": i, "text": "x" * 40}).encode() for i in range(9)]
    raw, _ = raw_rows(payloads, names(9), {})
    assert raw.column("id").to_pylist() == [str(i) for i in range(9)]


def test_no_messages_give_empty_batches() -> None:
    raw, rejects = raw_rows([], [], {})
    assert (raw.num_rows, raw.schema, rejects.schema) == (0, RAW, REJECT)


def test_every_message_must_have_a_name() -> None:
    with pytest.raises(ValueError, match="argument"):
        raw_rows([b"{}", b"{}"], names(1), {})


@pytest.mark.parametrize(
    "path",
    [
        "",
        "scraped",
        "projects/p/topics/scraped",
        "projects/p/subscriptions/",
        "projects/p/subscriptions/1st",
        "projects/p/subscriptions/a b",
        "projects//subscriptions/scraped",
        "projects/p/subscriptions/scraped/",
        "projects/p/subscriptions/scraped\n",
        "/projects/p/subscriptions/scraped",
    ],
)
def test_path_of_a_subscription_is_checked(path: str) -> None:
    for check in (checked_subscription, Subscription):
        with pytest.raises(ValueError, match="must be projects/PROJECT/subscriptions/NAME"):
            check(path)


def test_path_of_a_topic_is_checked() -> None:
    for check in (checked_topic, DeadLetters):
        with pytest.raises(
            ValueError, match=r"projects/PROJECT/topics/NAME, got 'projects"
        ):
            check(SUBSCRIPTION)
    assert checked_topic(TOPIC) == TOPIC
    assert checked_subscription("projects/example.com:news-1/subscriptions/a.b_c~%+-") != ""


def test_pulled_messages_are_those_that_the_official_client_published(scraped: Any) -> None:
    publisher = pubsub_v1.PublisherClient()
    published = [
        publisher.publish(TOPIC, data, site="x.example").result(LONG)
        for data in (b"one", b"two")
    ]
    publisher.stop()
    publisher.transport.close()
    with Subscription(SUBSCRIPTION) as subscription:
        found = subscription.pull(2, LONG)
    assert [message.data for message in found] == [b"one", b"two"]
    assert [message.message_id for message in found] == published
    assert {message.published for message in found} == {int(scraped.now * 1e6)}
    assert found[0].attributes == {"site": "x.example"}
    assert len(set(ack_ids_of(found))) == 2


def test_pull_gathers_until_it_has_enough(scraped: Any) -> None:
    scraped.most_per_pull = 3
    scraped.publish(TOPIC, *(b"%d" % number for number in range(10)))
    with Subscription(SUBSCRIPTION) as subscription:
        assert len(subscription.pull(8, LONG)) == 8
        assert len(subscription.pull(2, LONG)) == 2
        assert subscription.pull(8, SHORT) == []


def test_pull_stops_gathering_when_the_messages_are_large(
    scraped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "BATCH_BYTES", 100)
    scraped.most_per_pull = 1
    scraped.publish(TOPIC, *[b"x" * 60] * 4)
    with Subscription(SUBSCRIPTION) as subscription:
        assert len(subscription.pull(4, LONG)) == 2


def test_pull_asks_for_no_more_than_the_service_gives_at_a_time(scraped: Any) -> None:
    payloads = [b"%d" % number for number in range(1_500)]
    for start in range(0, 1_500, 500):
        scraped.publish(TOPIC, *payloads[start : start + 500])
    with Subscription(SUBSCRIPTION) as subscription:
        found = subscription.pull(1_500, LONG)
    assert payloads_of(found) == sorted(payloads)
    assert scraped.calls["Pull"] == 3


@pytest.mark.parametrize(
    ("count", "seconds", "lease"), [(0, 1, 60), (1, 0, 60), (1, 1, 600), (1, -1, 60)]
)
def test_pull_of_nothing_or_for_too_long_is_an_error(
    scraped: Any, count: int, seconds: float, lease: int
) -> None:
    with (
        Subscription(SUBSCRIPTION) as subscription,
        pytest.raises(ValueError, match=f"got {count}, {seconds} and {lease}"),
    ):
        subscription.pull(count, seconds, lease_seconds=lease)


def test_messages_as_large_as_the_service_takes_are_pulled_together(scraped: Any) -> None:
    payloads = [number * 9_000_000 for number in (b"1", b"2", b"3")]
    for data in payloads:
        scraped.publish(TOPIC, data)
    with Subscription(SUBSCRIPTION) as subscription:
        assert payloads_of(subscription.pull(3, LONG)) == payloads


def test_acknowledged_messages_do_not_come_again(scraped: Any) -> None:
    ids = scraped.publish(TOPIC, b"one", b"two")
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.acknowledge(ack_ids_of(subscription.pull(2, LONG)))
        scraped.advance(3_600)
        assert subscription.pull(2, SHORT) == []
    assert scraped.acknowledged(SUBSCRIPTION) == ids
    assert scraped.outstanding(SUBSCRIPTION) == []


def test_messages_not_acknowledged_in_time_come_again_with_the_same_id(
    scraped: Any,
) -> None:
    scraped.publish(TOPIC, b"one", b"two")
    with Subscription(SUBSCRIPTION) as subscription:
        first = subscription.pull(2, LONG)
        subscription.acknowledge([first[0].ack_id])
        scraped.advance(LONG + 61)
        (again,) = subscription.pull(1, LONG)
    assert again._replace(ack_id="") == first[1]._replace(ack_id="")
    assert again.ack_id != first[1].ack_id


def test_a_pulled_message_is_held_longer_than_its_subscription_says(scraped: Any) -> None:
    scraped.ack_deadline = 0.5
    scraped.publish(TOPIC, b"one")
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.pull(1, LONG, lease_seconds=30)
        scraped.advance(29)
        assert subscription.pull(1, SHORT) == []
        scraped.advance(LONG + 2)
        assert len(subscription.pull(1, LONG)) == 1


def test_extended_messages_wait_and_those_given_back_come_at_once(scraped: Any) -> None:
    scraped.publish(TOPIC, b"one", b"two")
    with Subscription(SUBSCRIPTION) as subscription:
        one, two = subscription.pull(2, LONG)
        subscription.extend([one.ack_id], 600)
        scraped.advance(LONG + 61)
        assert payloads_of(subscription.pull(1, LONG)) == [b"two"]
        subscription.extend([one.ack_id], 0)
        assert payloads_of(subscription.pull(1, LONG)) == [b"one"]
        with pytest.raises(ValueError, match="0 to 600 seconds away, got 601"):
            subscription.extend([two.ack_id], 601)


def test_an_acknowledged_message_may_come_again_all_the_same(scraped: Any) -> None:
    ids = scraped.publish(TOPIC, b"one", b"two")
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.acknowledge(ack_ids_of(subscription.pull(2, LONG)))
        scraped.redeliver(SUBSCRIPTION, ids[:1])
        (again,) = subscription.pull(1, LONG)
        assert (again.message_id, again.data) == (ids[0], b"one")
        subscription.acknowledge([again.ack_id])
    assert scraped.acknowledged(SUBSCRIPTION) == [*ids, ids[0]]
    assert scraped.deliveries(SUBSCRIPTION)[ids[0]] == 3  # One of them by `check`.


def test_a_message_that_comes_twice_into_one_pull_counts_by_its_last_delivery(
    scraped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scraped.most_per_pull = 1
    ids = scraped.publish(TOPIC, b"one", b"two")
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.check()
        # The first message is not extended, and comes again before the second.
        seconds = iter([11, 0, 0])
        with monkeypatch.context() as patched:
            patched.setattr(
                subscription, "extend", lambda *_: scraped.advance(next(seconds))
            )
            found = subscription.pull(2, LONG)
        assert [message.message_id for message in found] == ids
        subscription.acknowledge(ack_ids_of(found))
    assert scraped.acknowledged(SUBSCRIPTION) == ids


@pytest.mark.parametrize("exactly_once", [False, True])
def test_to_acknowledge_too_late_is_no_error(scraped: Any, exactly_once: bool) -> None:
    scraped.exactly_once = exactly_once
    ids = scraped.publish(TOPIC, b"one", b"two")
    with Subscription(SUBSCRIPTION) as subscription:
        one, two = subscription.pull(2, LONG)
        subscription.extend([two.ack_id], 600)
        scraped.advance(LONG + 61)
        subscription.extend([one.ack_id], 10)
        subscription.acknowledge([one.ack_id, two.ack_id])
        (again,) = subscription.pull(1, LONG)
    assert again.data == b"one"
    assert scraped.acknowledged(SUBSCRIPTION) == ids[1:]


def test_many_messages_are_acknowledged_in_requests_that_the_service_takes(
    scraped: Any,
) -> None:
    for _ in range(4):
        scraped.publish(TOPIC, *[b"x"] * 1_000)
    with Subscription(SUBSCRIPTION) as subscription:
        found = subscription.pull(4_000, LONG)
        assert sum(map(len, ack_ids_of(found))) > 512 << 10
        subscription.extend(ack_ids_of(found), 600)
        subscription.acknowledge(ack_ids_of(found))
    assert scraped.outstanding(SUBSCRIPTION) == []


def test_to_acknowledge_nothing_asks_nothing(scraped: Any) -> None:
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.acknowledge([])
        subscription.extend([], 10)
    assert not scraped.calls


@given(st.lists(st.text("ab", max_size=9)), st.integers(1, 5), st.integers(1, 20))
def test_requests_hold_all_items_in_order_and_no_more_than_they_may(
    items: list[str], max_items: int, max_bytes: int
) -> None:
    found = list(requests_of(items, len, max_items=max_items, max_bytes=max_bytes))
    assert [item for request in found for item in request] == items
    assert all(found)
    for request in found:
        assert len(request) <= max_items
        assert len(request) == 1 or sum(map(len, request)) <= max_bytes


def test_check_takes_no_message_away(scraped: Any) -> None:
    scraped.publish(TOPIC, b"one")
    with Subscription(SUBSCRIPTION) as first, Subscription(SUBSCRIPTION) as second:
        first.check()
        assert payloads_of(second.pull(1, LONG)) == [b"one"]


def test_a_subscription_that_is_not_there_is_an_error_at_once(scraped: Any) -> None:
    missing = f"{SUBSCRIPTION}-2"
    with Subscription(missing) as subscription:
        for ask in (subscription.check, lambda: subscription.pull(1, LONG)):
            with pytest.raises(
                ValueError, match=f"^subscription must exist, got {missing}$"
            ):
                ask()
        with pytest.raises(ValueError, match="must exist"):
            subscription.acknowledge(["x"])


def test_a_subscription_that_goes_away_is_an_error(scraped: Any) -> None:
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.check()
        official = pubsub_v1.SubscriberClient()
        official.delete_subscription(subscription=SUBSCRIPTION)
        official.close()
        with pytest.raises(ValueError, match="must exist"):
            subscription.pull(1, LONG)


def test_what_the_service_refuses_is_an_error_with_its_words(scraped: Any) -> None:
    scraped.refuse("Pull", grpc.StatusCode.FAILED_PRECONDITION, "This pushes.\nMore.")
    with Subscription(SUBSCRIPTION) as subscription:
        with pytest.raises(
            ValueError, match=f"{SUBSCRIPTION} refused a request: This pushes$"
        ):
            subscription.check()
        with pytest.raises(ValueError, match=r"Some ack ids in the request were invalid$"):
            subscription.acknowledge(["no id of anything"])


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED]
)
def test_credentials_without_the_right_are_an_error_of_one_sentence(
    scraped: Any, code: grpc.StatusCode
) -> None:
    scraped.refuse("Pull", code, "User not authorized to perform this action.")
    with (
        Subscription(SUBSCRIPTION) as subscription,
        pytest.raises(PermissionError) as caught,
    ):
        subscription.pull(1, LONG)
    assert str(caught.value) == (
        f"subscription must be open to the credentials in use, got {SUBSCRIPTION}: "
        "User not authorized to perform this action"
    )


@pytest.mark.parametrize(
    "make", [lambda: Subscription(SUBSCRIPTION), lambda: DeadLetters(TOPIC)]
)
def test_without_credentials_nothing_is_asked(
    make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(
        PermissionError, match=r"news-test/\S+ needs credentials: .*not found"
    ):
        make()


def test_with_an_emulator_no_credentials_are_asked_for(
    scraped: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with Subscription(SUBSCRIPTION) as subscription, DeadLetters(DEAD) as letters:
        subscription.check()
        letters.check()


def test_a_server_that_cannot_be_reached_is_an_error_at_once(
    pubsub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pubsub.stop()
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it tried again"))
    with (
        Subscription(SUBSCRIPTION) as subscription,
        pytest.raises(
            ConnectionError, match=f"must be in reach, got {SUBSCRIPTION}: .*refused"
        ),
    ):
        subscription.pull(1, LONG)
    with (
        DeadLetters(DEAD) as letters,
        pytest.raises(ConnectionError, match=f"^topic must be in reach, got {DEAD}: "),
    ):
        letters.check()


def test_a_server_that_does_not_answer_is_an_error(
    scraped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scraped.refuse("Pull", grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    with (
        Subscription(SUBSCRIPTION) as subscription,
        pytest.raises(ConnectionError, match=r"in reach, got .*: Deadline Exceeded$"),
    ):
        subscription.pull(1, LONG)


def test_an_outage_is_waited_for_once_the_server_has_answered(
    scraped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scraped.publish(TOPIC, b"one")
    monkeypatch.setattr("time.sleep", lambda _: None)
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.check()
        scraped.refuse("Pull", grpc.StatusCode.UNAVAILABLE, times=3)
        scraped.refuse("Acknowledge", grpc.StatusCode.INTERNAL, times=2)
        scraped.refuse("Acknowledge", grpc.StatusCode.DEADLINE_EXCEEDED)
        found = subscription.pull(1, LONG)
        subscription.acknowledge(ack_ids_of(found))
    assert payloads_of(found) == [b"one"]
    assert scraped.outstanding(SUBSCRIPTION) == []


def test_an_outage_that_lasts_is_an_error(
    scraped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "PATIENCE_SECONDS", 0.01)
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.check()
        scraped.refuse("Pull", grpc.StatusCode.UNAVAILABLE, "Try later.", times=100)
        with pytest.raises(ConnectionError, match=r"must be in reach, got .*: Try later$"):
            subscription.pull(1, LONG)


def test_an_outage_does_not_keep_back_what_was_gathered(scraped: Any) -> None:
    scraped.most_per_pull = 1
    scraped.publish(TOPIC, b"one", b"two")
    with Subscription(SUBSCRIPTION) as subscription:
        subscription.check()
        scraped.refuse("Pull", grpc.StatusCode.UNAVAILABLE, after=1)
        assert payloads_of(subscription.pull(2, LONG)) == [b"one"]
        assert payloads_of(subscription.pull(1, LONG)) == [b"two"]


def rejected(*rows: tuple[str, str | None, str, str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [
            dict(zip(REJECT.names, (file, 1, article_id, reason, detail), strict=True))
            for file, article_id, reason, detail in rows
        ],
        schema=REJECT,
    )


def test_rejected_messages_go_to_the_topic_as_they_came_with_the_reason(
    scraped: Any,
) -> None:
    scraped.publish(
        TOPIC, b'{"id": "a", "text": 1}', b'{"id": "b", "text": "x"}', data="own"
    )
    scraped.publish(TOPIC, b"\xff\x00 no JSON")
    with Subscription(SUBSCRIPTION) as subscription, DeadLetters(DEAD) as letters:
        found = {
            message_file(SUBSCRIPTION, message.message_id): message
            for message in subscription.pull(3, LONG)
        }
        raw, rejects = raw_rows([one.data for one in found.values()], list(found), {})
        letters.check()
        letters.publish(dead_letters(rejects, found))
    assert raw.column("id").to_pylist() == ["b"]
    typed, broken = scraped.published(DEAD)
    assert typed.data == b'{"id": "a", "text": 1}'
    assert dict(typed.attributes) == {
        "data": "own",
        "newsdedup_reason": "wrong_type",
        "newsdedup_detail": "text must be text, got 1",
        "newsdedup_file": f"{SUBSCRIPTION}#1",
        "newsdedup_article_id": "a",
    }
    assert broken.data == b"\xff\x00 no JSON"
    assert broken.attributes["newsdedup_reason"] == rejects.column("reason")[1].as_py()


def test_a_dead_letter_is_one_that_the_service_takes(scraped: Any) -> None:
    attributes = {f"n{number}": "x" for number in range(100)}
    attributes |= {"googclient_schemaencoding": "JSON", "newsdedup_reason": "before"}
    large = Message(b"x" * 9_999_000, "1", 0, attributes, "")
    empty = Message(b"", "2", 0, {}, "")
    rejects = rejected(
        ("large", None, "broken_json", "é" * 600), ("empty", None, "broken_json", "x")
    )
    found = dead_letters(rejects, {"large": large, "empty": empty})
    with DeadLetters(DEAD) as letters:
        letters.publish(found)
    cut, whole = scraped.published(DEAD)
    assert large.data.startswith(cut.data)
    assert len(cut.data) > 9_800_000
    assert cut.attributes["newsdedup_cut"] == "from 9999000 bytes"
    assert cut.attributes["newsdedup_detail"] == "é" * 512
    assert cut.attributes["newsdedup_reason"] == "broken_json"
    assert len(cut.attributes) == 100
    assert not any(name.startswith("goog") for name in cut.attributes)
    assert (whole.data, len(whole.attributes)) == (b"", 3)


def test_many_dead_letters_go_in_requests_that_the_service_takes(scraped: Any) -> None:
    small = [DeadLetter(b"%d" % number, {"a": "b"}) for number in range(1_500)]
    large = [DeadLetter(b"x" * 4_000_000, {}) for _ in range(3)]
    with DeadLetters(DEAD) as letters:
        letters.publish([*small, *large])
        letters.publish([])
    found = scraped.published(DEAD)
    assert [message.data for message in found] == [one.data for one in (*small, *large)]
    assert scraped.calls["Publish"] == 3


def test_a_reject_of_no_message_is_an_error() -> None:
    with pytest.raises(KeyError, match="elsewhere"):
        dead_letters(rejected(("elsewhere", None, "no_text", "x")), {})


def test_a_topic_that_is_not_there_is_an_error_at_once(scraped: Any) -> None:
    with DeadLetters(f"{DEAD}-2") as letters:
        for ask in (letters.check, lambda: letters.publish([DeadLetter(b"x", {})])):
            with pytest.raises(ValueError, match=f"^topic must exist, got {DEAD}-2$"):
                ask()


def test_who_may_publish_need_not_be_allowed_to_look(scraped: Any) -> None:
    scraped.refuse("GetTopic", grpc.StatusCode.PERMISSION_DENIED)
    scraped.refuse("Publish", grpc.StatusCode.PERMISSION_DENIED, "Not you.")
    with DeadLetters(DEAD) as letters:
        letters.check()
        with pytest.raises(PermissionError, match=f"in use, got {DEAD}: Not you$"):
            letters.publish([DeadLetter(b"x", {})])
        letters.publish([DeadLetter(b"y", {})])
    assert [message.data for message in scraped.published(DEAD)] == [b"y"]


def test_who_is_nobody_may_not_publish(scraped: Any) -> None:
    scraped.refuse("GetTopic", grpc.StatusCode.UNAUTHENTICATED)
    with DeadLetters(DEAD) as letters, pytest.raises(PermissionError, match="on purpose"):
        letters.check()


def test_an_outage_while_dead_letters_are_sent_is_waited_for(
    scraped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with DeadLetters(DEAD) as letters:
        letters.check()
        scraped.refuse("Publish", grpc.StatusCode.UNAVAILABLE, times=3)
        letters.publish([DeadLetter(b"x", {})])
    assert len(scraped.published(DEAD)) == 1
