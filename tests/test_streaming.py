"""The stream as a user runs it: the real command, on a Pub/Sub server of this process."""

import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline import batch
from pipeline.config import Config
from pipeline.incremental import Additions
from pipeline.show import read_table
from pipeline.streaming import stream, stream_rules
from transforms.owners import owned
from transforms.parquet import staging_folder
from transforms.past import read_part
from transforms.windows import TABLES, placement_files, read_standings

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "articles"
TOPIC, DEAD = "projects/town-news/topics/scraped", "projects/town-news/topics/dead"
NEWS = "projects/town-news/subscriptions/news"
WITHOUT_MODEL = Config(embedding="none")


def lines(number):
    """Give the JSON lines of one of the example files, packed or not."""
    (path,) = EXAMPLES.glob(f"articles-{number}.jsonl*")
    with pa.input_stream(str(path)) as stream:
        return [line for line in stream.read().splitlines() if line.strip()]


def given_id(line):
    try:
        return str(json.loads(line)["id"])
    except (ValueError, KeyError):
        return None


@pytest.fixture
def server(pubsub):
    pubsub.create(TOPIC, NEWS)
    pubsub.create(DEAD)
    # After the example articles were published: no date of theirs is implausible.
    pubsub.now = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC).timestamp()
    return pubsub


def placed(output):
    rows = read_standings(placement_files(str(output))).to_pylist()
    return {row["article_id"]: row for row in rows}


def rows_of(output, table):
    return [
        row
        for path in sorted(Path(output, table).glob("*.parquet"))
        for row in read_part(str(path)).to_pylist()
    ]


def place_once(output, config=WITHOUT_MODEL, **given):
    """Place what there is, in one window."""
    settings = {"fields": {}, "window_seconds": 1} | given
    windows = stream(NEWS, str(output), config, **settings)
    try:
        return next(windows)
    finally:
        windows.close()


def test_every_message_becomes_an_article_a_reject_or_has_come_before(server, tmp_path):
    payloads = [*lines(1), *lines(2), b"not json", b'{"id": "empty"}', b"[1]"]
    server.publish(TOPIC, *payloads)
    counts = place_once(tmp_path / "live")
    articles, rejects = (
        rows_of(tmp_path / "live", name) for name in ("articles", "rejects")
    )
    assert len(articles) == counts["placed"]
    assert len(rejects) == counts["rejected"] >= 3
    assert len(articles) + len(rejects) + counts["repeated"] == len(payloads)
    assert sorted(set(server.acknowledged(NEWS))) == sorted(server.deliveries(NEWS))
    assert not server.outstanding(NEWS)


def test_messages_that_cannot_be_read_are_sent_on_as_they_came(server, tmp_path):
    server.publish(TOPIC, b"not json", b'{"id": "empty"}', *lines(2))
    place_once(tmp_path / "live", dead_letter=DEAD)
    letters = server.published(DEAD)
    assert {letter.data for letter in letters} == {b"not json", b'{"id": "empty"}'}
    assert {letter.attributes["newsdedup_reason"] for letter in letters} == {
        "broken_json",
        "no_text",
    }


def test_messages_that_are_delivered_again_count_once(server, tmp_path):
    server.publish(TOPIC, *lines(2), b"not json")
    first = place_once(tmp_path / "live")
    before = placed(tmp_path / "live")
    server.redeliver(NEWS)
    again = place_once(tmp_path / "live")
    assert again["placed"] == again["rejected"] == 0
    assert again["repeated"] == first["placed"] + first["repeated"]
    assert placed(tmp_path / "live") == before
    assert len(rows_of(tmp_path / "live", "rejects")) == first["rejected"]


def test_a_run_over_what_the_stream_received_has_the_last_word_and_keeps_its_ids(
    server, tmp_path
):
    live, output = tmp_path / "live", str(tmp_path / "out")
    for number in (3, 1, 2):
        server.publish(TOPIC, *lines(number))
        place_once(live)
    stood = placed(live)
    once = str(tmp_path / "once")
    inputs = [f"{EXAMPLES}/articles-{number}.jsonl*" for number in (1, 2, 3)]
    batch.run(inputs, once, WITHOUT_MODEL, fields={})
    batch.run(
        [f"{live}/raw/*"],
        output,
        WITHOUT_MODEL,
        fields={},
        additions=Additions(),
        keep_ids=str(live),
    )
    alone, kept = (
        {row["article_id"]: row for row in read_table(folder, "articles").to_pylist()}
        for folder in (once, output)
    )
    assert kept.keys() == stood.keys()
    for article_id, row in kept.items():
        assert row["text"] == alone[article_id]["text"]

    def groups(rows, name):
        found = {}
        for article_id in kept:
            found.setdefault(rows[article_id][name], set()).add(article_id)
        return {frozenset(group): owner for owner, group in found.items()}

    for name in ("story_id", "duplicate_group_id"):
        provisional, settled = groups(stood, name), groups(kept, name)
        agreed = provisional.keys() & settled.keys()
        assert any(len(group) > 1 for group in agreed) or name == "duplicate_group_id"
        assert {group: provisional[group] for group in agreed} == {
            group: settled[group] for group in agreed
        }
        # What is together depends on the articles and not on what they are called.
        assert groups(alone, name).keys() == settled.keys()
    # The stream met the later articles first, and so named stories after others.
    assert groups(alone, "story_id") != groups(kept, "story_id")


def test_what_a_stream_refuses_it_refuses_before_anything_is_written(server, tmp_path):
    live = str(tmp_path / "live")
    for given, message in (
        ({"subscription": "news"}, "subscription must be projects/PROJECT/subscriptions"),
        ({"subscription": "projects/p/subscriptions/gone"}, "subscription must exist"),
        ({"dead_letter": "projects/p/topics/gone"}, "topic must exist"),
        ({"lookback": 0}, "lookback must be above 0 days, got 0"),
        ({"fields": {"body": "text"}}, "body"),
    ):
        settings = {"subscription": NEWS, "fields": {}} | given
        with pytest.raises(ValueError, match=message):
            next(stream(settings.pop("subscription"), live, WITHOUT_MODEL, **settings))
    assert not Path(live).exists() or not list(Path(live).rglob("*.parquet"))


def test_a_stream_has_a_folder_of_its_own(server, tmp_path):
    output = str(tmp_path / "out")
    batch.run([f"{EXAMPLES}/articles-4*"], output, Config(stories=False), fields={})
    with pytest.raises(ValueError, match="a stream must have a folder of its own"):
        next(stream(NEWS, output, WITHOUT_MODEL, fields={}))
    live = str(tmp_path / "live")
    with (
        owned(live, staging_folder(live), what="stream"),
        pytest.raises(ValueError, match="another stream is at work"),
    ):
        next(stream(NEWS, live, WITHOUT_MODEL, fields={}))


def test_a_stream_and_the_run_over_it_may_write_to_a_bucket(server, store):
    live, output = "gs://news/live", "gs://other"
    server.publish(TOPIC, *lines(2))
    assert place_once(live)["placed"] > 10
    with pytest.raises(ValueError, match="min_containment was"):
        place_once(live, Config(embedding="none", min_containment=0.8))
    assert not [name for name in store.names("news") if name.startswith("live/_")]
    given = {"fields": {}, "additions": Additions(), "keep_ids": live}
    batch.run([f"{live}/raw/*"], output, WITHOUT_MODEL, **given)
    stood = read_standings(placement_files(live)).column("article_id").to_pylist()
    kept = read_table(output, "articles").column("article_id").to_pylist()
    assert sorted(kept) == sorted(stood)


def test_streams_on_one_folder_decide_alike(server, tmp_path):
    server.publish(TOPIC, *lines(2))
    place_once(tmp_path / "live")
    other = Config(embedding="none", min_containment=0.8)
    with pytest.raises(ValueError, match=r"min_containment was 0\.7 and is 0\.8"):
        place_once(tmp_path / "live", other)


def test_ids_are_kept_of_a_stream_that_wrote_something(tmp_path):
    (tmp_path / "live").mkdir()
    with pytest.raises(ValueError, match="a stream must have written to"):
        batch.run(
            [f"{EXAMPLES}/articles-4*"],
            str(tmp_path / "out"),
            WITHOUT_MODEL,
            fields={},
            keep_ids=str(tmp_path / "live"),
        )


def test_rules_name_what_is_out_of_range():
    with pytest.raises(ValueError, match="a window must last 1 second at least, got 0"):
        stream_rules(WITHOUT_MODEL, window_seconds=0, lookback=7, most=10)
    with pytest.raises(ValueError, match="1 article must be remembered at least, got 0"):
        stream_rules(WITHOUT_MODEL, window_seconds=300, lookback=7, most=0)


@pytest.fixture
def command(server, tmp_path):
    """Start the command on the folder `live`; it is killed at the end."""
    started = []

    def start():
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline", "stream", "--subscription", NEWS),
                *("--output", str(tmp_path / "live"), "--window", "1"),
                *("--embedding", "none", "--dead-letter", DEAD),
            ],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_stream_that_is_killed_and_started_again_loses_nothing(server, command, tmp_path):
    live = tmp_path / "live"
    first, second, third = map(lines, (1, 2, 3))
    server.publish(TOPIC, *first)
    process = command()
    assert "placed" in process.stdout.readline()
    # Killed in the middle of the next window: when its first file is there.
    server.publish(TOPIC, *second)
    while len(list(live.glob("raw/*.parquet"))) < 2:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.publish(TOPIC, *third, b"not json")
    # What the dead process had is given to another one once its time is over.
    server.advance(3600)
    process = command()
    while server.outstanding(NEWS):
        assert "placed" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.wait()
    ids = {given_id(line) for line in [*first, *second, *third]} - {None}
    standing = placed(live)
    rejected = {row["article_id"] for row in rows_of(live, "rejects")}
    assert ids <= standing.keys() | rejected
    articles = rows_of(live, "articles")
    assert sorted(row["article_id"] for row in articles) == sorted(standing)
    assert len(rows_of(live, "raw")) >= len(articles)
    # Every file belongs to a window that counts.
    counting = {Path(path).name for path in placement_files(str(live))}
    assert all(
        path.name in counting for name in TABLES for path in (live / name).glob("*.parquet")
    )
