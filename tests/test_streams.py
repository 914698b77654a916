"""Windows of a stream: time, lateness, expiry, on Beam's own test stream."""

import dataclasses
import datetime
import json
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing import test_stream
from apache_beam.transforms.window import TimestampedValue

from made_reports import FERRY, MARKET
from pipeline.batch import run
from pipeline.config import Config
from pipeline.show import read_table
from pipeline.streaming import stream_rules
from schemas.article import RAW
from transforms import micro_batches, streams
from transforms.micro_batches import forget_old
from transforms.parsing import parse_articles
from transforms.past import LEAST_ARTICLES, read_part
from transforms.streams import PlaceWindows, language_keys
from transforms.windows import (
    COUNTED,
    REMEMBERED,
    WriteWindows,
    placement_files,
    read_standings,
)

BEGAN = int(datetime.datetime(2026, 3, 2, 8, tzinfo=datetime.UTC).timestamp())
MINUTE, DAY = 60, 86_400


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Let a process remember nothing of the streams of other tests."""
    monkeypatch.setattr(micro_batches, "LATEST", {})


def articles(*rows, text=FERRY):
    """Make ARTICLE rows of (id, source, seconds since BEGAN)."""
    raw = pa.RecordBatch.from_pylist(
        [
            {
                "file": "projects/p/subscriptions/s#" + given[0],
                "position": 1,
                "id": given[0],
                "source": given[1],
                "title": text.split(" on ")[0],
                "text": text,
                "published_at": datetime.datetime.fromtimestamp(
                    BEGAN + given[2], datetime.UTC
                ).isoformat(),
                "language": "en",
                "repaired": False,
            }
            for given in rows
        ],
        schema=RAW,
    )
    latest = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
    return parse_articles(raw, latest=latest)[0]


def note_counts(window, path):
    with Path(path).open("a") as file:
        file.write(json.dumps(dict(window.counts)) + "\n")


@pytest.fixture
def place(tmp_path):
    """Give a function that runs a test stream; it gives where articles stand, and more."""
    output = str(tmp_path / "live")

    def run(events, **settings):
        given = {"window_seconds": 5 * MINUTE, "lookback": 7.0, "most": 1_000} | settings
        least = given.pop("least", LEAST_ARTICLES)
        rules = stream_rules(Config(embedding="none"), **given)
        rules = dataclasses.replace(rules, least=least)
        stream = test_stream.TestStream()
        for event in events:
            stream = event(stream)
        pipeline = beam.Pipeline(
            runner=BundleBasedDirectRunner(), options=PipelineOptions(streaming=True)
        )
        placed = pipeline | stream | "Place" >> PlaceWindows(rules, output)
        placed | "Write" >> WriteWindows(output)
        placed | "Note" >> beam.Map(note_counts, str(tmp_path / "counts"))
        pipeline.run().wait_until_finish()
        noted = [
            json.loads(line) for line in (tmp_path / "counts").read_text().splitlines()
        ]
        counts = {name: sum(one[name] for one in noted) for name in COUNTED}
        counts |= {name: max(one[name] for one in noted) for name in REMEMBERED}
        standings = read_standings(placement_files(output)).to_pylist()
        return {row["article_id"]: row for row in standings}, counts, output

    return run


def arrive(batch, seconds):
    """Let a batch come, so many seconds after BEGAN."""
    return lambda stream: stream.add_elements(
        [TimestampedValue(batch, BEGAN + seconds)], event_timestamp=BEGAN + seconds
    )


def pass_to(seconds):
    """Let the watermark pass to so many seconds after BEGAN."""
    return lambda stream: stream.advance_watermark_to(BEGAN + seconds)


def windows(output):
    """Give the ids that each window placed, in the order of the windows."""
    ids = {}
    for path in placement_files(output):
        rows = read_part(path, ["article_id", "run_id"]).to_pylist()
        for row in rows:
            ids.setdefault(row["run_id"], set()).add(row["article_id"])
    return [ids[label] for label in sorted(ids, key=lambda label: label[-6:])]


def test_articles_of_a_window_are_placed_when_the_watermark_passes_its_end(place):
    standings, counts, output = place(
        [
            arrive(articles(("a", "one.example", 0)), 10),
            arrive(articles(("b", "two.example", 60)), 4 * MINUTE),
            pass_to(5 * MINUTE),
            arrive(articles(("c", "three.example", 6 * MINUTE)), 6 * MINUTE),
            pass_to(10 * MINUTE),
        ]
    )
    assert windows(output)[0] == {"a", "b"}
    assert {row["duplicate_group_id"] for row in standings.values()} == {"a"}
    assert counts["placed"] == 3
    assert counts["remembered_articles"] == 3


def test_an_article_of_the_next_window_does_not_put_the_first_one_off(place):
    _, _, output = place(
        [
            arrive(articles(("a", "one.example", 0)), 10),
            arrive(articles(("m", "two.example", 0), text=MARKET), 6 * MINUTE),
            pass_to(5 * MINUTE),
            arrive(articles(("b", "two.example", 60)), 7 * MINUTE),
            pass_to(10 * MINUTE),
        ]
    )
    assert "a" in windows(output)[0]
    assert "b" in windows(output)[1]


def test_a_late_article_is_placed_and_joins_what_came_before_it(place):
    standings, counts, output = place(
        [
            arrive(articles(("a", "one.example", 0)), 10),
            pass_to(2 * DAY),
            arrive(articles(("late", "two.example", -3600)), 20),
            pass_to(2 * DAY + 10 * MINUTE),
        ]
    )
    assert windows(output)[1] >= {"late"}
    assert standings["late"]["duplicate_group_id"] == "a"
    assert counts["placed"] == 2


def test_what_is_older_than_the_lookback_is_forgotten(place):
    standings, counts, _ = place(
        [
            arrive(articles(("a", "one.example", 0)), 10),
            pass_to(9 * DAY),
            arrive(articles(("b", "two.example", 60)), 9 * DAY),
            pass_to(9 * DAY + 10 * MINUTE),
        ],
        least=0,
    )
    assert standings["b"]["duplicate_group_id"] == "b"
    assert counts["remembered_articles"] == 1


def test_of_a_thin_language_the_last_articles_are_kept_however_old_they_are(place):
    standings, counts, _ = place(
        [
            arrive(articles(("a", "one.example", 0)), 10),
            arrive(articles(("m", "one.example", 0), text=MARKET), MINUTE),
            arrive(articles(("b", "two.example", 60)), 10 * MINUTE),
            pass_to(90 * DAY),
            arrive(articles(("c", "three.example", 60)), 90 * DAY),
            pass_to(90 * DAY + 10 * MINUTE),
        ],
        least=2,
    )
    assert standings["c"]["duplicate_group_id"] == "a"
    assert counts["remembered_articles"] == 3


@pytest.mark.parametrize("least", [0, 1, 9])
def test_the_timer_forgets_what_the_next_window_would(place, least, monkeypatch):
    """What is held while nothing comes is what the next window finds."""
    held = []

    def noting(memory, rules, now):
        left = forget_old(memory, rules, now)
        held.append((memory, left, now))
        return left

    monkeypatch.setattr(streams, "forget_old", noting)
    events = [
        arrive(articles(("a", "one.example", 0)), 10),
        arrive(articles(("m", "one.example", 0), text=MARKET), 11 * MINUTE),
        pass_to(7 * DAY),
        pass_to(9 * DAY),
        arrive(articles(("b", "two.example", 60)), 9 * DAY),
        pass_to(9 * DAY + 10 * MINUTE),
    ]
    place(events, least=least)
    if least == 9:
        # So few are kept for ever, and need not even be looked at.
        assert not held
        return
    # A second after the lookback, and once more when the stream is over.
    memory, left, when = held[0]
    assert when.timestamp() == BEGAN + 7 * DAY + 5 * MINUTE + 1
    assert memory.past.articles.num_rows == 2
    assert left.past.articles.num_rows == least
    later = datetime.datetime.fromtimestamp(BEGAN + 9 * DAY, datetime.UTC)
    rules = stream_rules(Config(embedding="none"), window_seconds=1, lookback=7, most=9)
    rules = dataclasses.replace(rules, least=least)
    assert forget_old(memory, rules, later) == forget_old(left, rules, later)


def test_messages_that_come_again_count_once(place):
    batch = articles(("a", "one.example", 0))
    standings, counts, output = place(
        [
            arrive(batch, 10),
            arrive(batch, 20),
            pass_to(5 * MINUTE),
            arrive(batch, 6 * MINUTE),
            pass_to(10 * MINUTE),
        ]
    )
    assert counts["placed"] == 1
    assert counts["repeated"] == 2
    assert len(standings) == 1
    assert windows(output) == [{"a"}]


def test_the_state_of_a_language_is_bounded_and_counted(place):
    events = []
    for number in range(8):
        at = number * 5 * MINUTE
        text = f"{MARKET} Report {number} of {number * 7} from ward {number * 3}."
        rows = [(f"{number}-{row}", f"s{row}.example", at) for row in range(3)]
        events += [arrive(articles(*rows, text=text), at), pass_to(at + 5 * MINUTE)]
    _, counts, _ = place(events, most=5)
    assert counts["placed"] == 24
    assert counts["remembered_articles"] == 5
    assert counts["forgotten"] == 19
    assert counts["remembered_bytes"] > 0


def test_a_job_that_begins_anew_goes_on_with_what_another_wrote(place, monkeypatch):
    first, _, _ = place([arrive(articles(("a", "one.example", 0)), 10), pass_to(3600)])
    monkeypatch.setattr(micro_batches, "LATEST", {})
    again, counts, output = place(
        [
            arrive(articles(("a", "one.example", 0), ("b", "two.example", 90)), 2 * 3600),
            pass_to(3 * 3600),
        ]
    )
    assert counts["placed"] == 2
    assert counts["repeated"] == 1
    assert again["b"]["duplicate_group_id"] == first["a"]["duplicate_group_id"]
    assert len(windows(output)) == 2


def test_an_id_in_two_languages_is_placed_twice_and_a_run_over_both_rejects_one(
    place, tmp_path
):
    batch = articles(("a", "one.example", 0), text=FERRY)
    other = articles(("a", "one.example", 0), text=MARKET)
    at = other.schema.get_field_index("language")
    other = other.set_column(at, "language", pa.array(["fr"]))
    _, counts, output = place([arrive(batch, 10), arrive(other, 20), pass_to(5 * MINUTE)])
    assert counts["placed"] == 2
    out = str(tmp_path / "out")
    run([f"{output}/raw/*"], out, Config(stories=False), fields={})
    assert read_table(out, "articles").num_rows == 1
    (reject,) = read_table(out, "rejects").to_pylist()
    assert (reject["article_id"], reject["reason"]) == ("a", "repeated_id")


def test_keys_are_languages_and_nothing_else():
    batch = articles(("a", "one.example", 0), ("b", "one.example", 0))
    keyed = dict(language_keys(batch))
    assert list(keyed) == ["en"]
    odd = pa.array(["en", "../up"])
    batch = batch.set_column(batch.schema.get_field_index("language"), "language", odd)
    assert {key: rows.num_rows for key, rows in language_keys(batch)} == {"en": 1, "und": 1}
