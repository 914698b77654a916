"""Messages become batches of articles, each with the time it came."""

import datetime
import json

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that
from apache_beam.transforms.window import TimestampedValue

from transforms.arrivals import ReadMessages, SendOn, read_messages
from transforms.messages import DeadLetter, Message

NEWS = "projects/p/subscriptions/news"
LATEST = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
TEXT = "The harbour office closed the north pier after a crane had tipped over at noon."


def message(number, data=None):
    if data is None:
        data = json.dumps({"id": f"a{number}", "title": "Pier closed", "text": TEXT})
    return Message(data.encode(), str(number), 0, {}, "")


def test_every_message_is_an_article_or_a_reject_with_its_letter():
    given = [message(1), message(2, "{"), message(3), message(4, '{"id": "x"}')]
    articles, rejects, letters = read_messages(given, NEWS, {}, LATEST)
    assert articles.column("article_id").to_pylist() == ["a1", "a3"]
    assert "line_rules" in articles.schema.names
    assert rejects.column("reason").to_pylist() == ["broken_json", "no_text"]
    assert rejects.column("file").to_pylist() == [f"{NEWS}#2", f"{NEWS}#4"]
    assert [letter.data for letter in letters] == [b"{", b'{"id": "x"}']


def test_fields_of_other_names_are_read():
    data = json.dumps({"id": "a", "body": TEXT})
    articles, _, _ = read_messages([message(1, data)], NEWS, {"text": "body"}, LATEST)
    assert articles.column("text").to_pylist() == [TEXT]


def test_a_message_that_comes_twice_in_a_bundle_is_read_once():
    articles, _, _ = read_messages([message(1), message(1)], NEWS, {}, LATEST)
    assert articles.num_rows == 1


def test_batches_keep_to_windows_and_tell_the_time():
    came = [(message(number), 100 + number) for number in range(7)]
    came += [(message(8, "no json"), 399), (message(9), 401)]

    def noted(batch, at=beam.DoFn.TimestampParam):
        return (float(at), batch.schema.names[0], batch.num_rows)

    def check(seen):
        by_window = {}
        for at, first, rows in seen:
            key = (at // 100, first)
            by_window[key] = by_window.get(key, 0) + rows
        # Rejects begin with the name of their file.
        assert by_window == {
            (1, "article_key"): 7,
            (3, "file"): 1,
            (4, "article_key"): 1,
        }

    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        read = (
            pipeline
            | beam.Create(came)
            | beam.MapTuple(TimestampedValue)
            | ReadMessages(NEWS, {}, 100)
        )
        assert_that(read["batches"] | "Note" >> beam.Map(noted), check, label="batches")
        assert_that(
            read["dead"] | beam.Map(lambda letter: letter.data),
            lambda seen: seen == [b"no json"] or pytest.fail(str(seen)),
            label="dead",
        )


def test_letters_are_on_the_topic_when_the_pipeline_is_done(pubsub):
    topic = "projects/p/topics/unread"
    pubsub.create(topic)
    letters = [DeadLetter(str(n).encode(), {"reason": "because"}) for n in range(5)]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        pipeline | beam.Create(letters) | SendOn(topic)
    published = pubsub.published(topic)
    assert sorted(one.data for one in published) == [b"0", b"1", b"2", b"3", b"4"]
    assert {one.attributes["reason"] for one in published} == {"because"}
