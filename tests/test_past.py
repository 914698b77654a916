"""What the output folder holds, as far as new articles can meet it."""

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from schemas.article import ARTICLE
from schemas.past import LEDGER
from schemas.story import ARTICLES
from transforms.past import (
    LeaveKnown,
    arrivals,
    articles_of,
    days_apart,
    days_of,
    id_keys,
    join_days,
    join_keys,
    join_ledger,
    ledger_of,
    read_part,
)

DAY = 86_400


def key(article_id):
    return xxhash.xxh3_64_intdigest(article_id.encode())


def article_row(article_id, **given):
    row = {}
    for field in ARTICLES:
        if pa.types.is_string(field.type):
            row[field.name] = ""
        elif pa.types.is_list(field.type):
            row[field.name] = []
        elif pa.types.is_boolean(field.type):
            row[field.name] = False
        elif not field.nullable:
            row[field.name] = 0
    ids = dict.fromkeys(("article_id", "story_id", "duplicate_group_id"), article_id)
    return row | ids | given


@pytest.fixture
def articles_file(tmp_path):
    when = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
    rows = [
        article_row("a", published_at=when, word_count=7, text="one"),
        article_row("b", story_id="a", duplicate_group_id="a", text="two"),
        article_row("c", text="three"),
    ]
    path = str(tmp_path / "part.parquet")
    table = pa.Table.from_pylist(rows, schema=ARTICLES)
    pq.write_table(table, path, row_group_size=1)
    return path


def seconds(*values):
    return pa.array(values, pa.int64())


def ledger(*published):
    count = len(published)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(range(count), pa.uint64()),
            seconds(*published),
            pa.array([1] * count, pa.int32()),
            pa.array(range(count), pa.uint64()),
            pa.array(range(count), pa.uint64()),
        ],
        schema=LEDGER,
    )


def test_ids_are_hashed_as_they_are_everywhere():
    ids = pa.array(["a", "b", "a", "ü"])
    assert id_keys(ids).tolist() == [key("a"), key("b"), key("a"), key("ü")]
    assert id_keys(ids.slice(1, 2)).tolist() == [key("b"), key("a")]
    assert id_keys(pa.array([], pa.string())).tolist() == []


def test_the_ledger_tells_where_every_article_belongs(articles_file):
    found = join_ledger([ledger_of(articles_file)]).to_pylist()
    assert [row["article_key"] for row in found] == sorted(map(key, "abc"))
    by_key = {row["article_key"]: row for row in found}
    assert by_key[key("b")]["story_key"] == by_key[key("b")]["group_key"] == key("a")
    assert by_key[key("a")]["published"] == 1_777_636_800
    assert by_key[key("c")]["published"] is None


def test_rows_are_read_by_key(articles_file):
    wanted = np.sort(np.array([key("c"), key("a"), 5], np.uint64))
    found = articles_of(articles_file, wanted)
    assert found.column("text").to_pylist() == ["one", "three"]
    assert found.column("article_key").to_pylist() == [key("a"), key("c")]
    assert articles_of(articles_file, wanted[:0]).num_rows == 0


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.parquet must be a file of an earlier run"):
        read_part(str(tmp_path / "gone.parquet"))


def test_days_apart_are_counted_from_the_nearest_day():
    days = np.array([10, 20])
    times = seconds(10 * DAY + 5, 9 * DAY, 13 * DAY, 19 * DAY, 25 * DAY, None)
    assert days_apart(times, days).tolist() == [0, 1, 2, 1, 4, 0]
    assert days_apart(times, days[:0]).tolist() == [np.inf] * 5 + [0]


def test_in_a_thin_feed_more_days_are_looked_back():
    known = ledger(*(DAY * day for day in (0, 50, 90, 95)), None)
    given = {"copies_reach": 30, "lookback": 7}
    dense = arrivals(np.array([100]), known, least_articles=2, **given)
    assert dense.stories_reach == 7
    thin = arrivals(np.array([100]), known, least_articles=4, **given)
    assert thin.stories_reach == 50
    every = arrivals(np.array([100]), known, least_articles=99, **given)
    assert every.stories_reach == 100


def test_an_article_without_a_date_is_as_new_as_the_newest_known():
    published = pa.array([None, 3 * DAY * 10**6], pa.timestamp("us", tz="UTC"))
    batch = pa.RecordBatch.from_arrays([published], names=["published_at"])
    given = {"copies_reach": 30, "lookback": 7, "least_articles": 1}
    found = arrivals(join_days([days_of(batch)]), ledger(9 * DAY), **given)
    assert found.days.tolist() == [3, 9]
    alone = arrivals(join_days([days_of(batch)]), ledger(), **given)
    assert alone.days.tolist() == [3]
    assert join_days([]).tolist() == []


def test_what_an_earlier_run_wrote_is_rejected_with_its_place(apply):
    rows = []
    for article_id in ("known", "new"):
        row = article_row(article_id)
        rows.append(
            {name: row[name] for name in ARTICLE.names if name in row}
            | {
                "article_key": key(article_id),
                "content_key": 0,
                "file": "in.jsonl",
                "position": 3,
                "notes": [],
            }
        )
    batch = pa.RecordBatch.from_pylist(rows, schema=ARTICLE)
    known = ledger(0).set_column(0, "article_key", pa.array([key("known")], pa.uint64()))

    class Look(LeaveKnown):
        def __init__(self):
            pass

        def expand(self, given):
            return given["articles"] | LeaveKnown(given["ledger"])

    found = apply(Look(), {"articles": [batch], "ledger": [known.cast(LEDGER)]})
    (new,), (rejected,) = found["articles"], found["rejects"]
    assert new.column("article_id").to_pylist() == ["new"]
    (row,) = rejected.to_pylist()
    assert (row["article_id"], row["reason"], row["position"]) == (
        "known",
        "repeated_id",
        3,
    )


def test_keys_are_joined_in_order():
    parts = [pa.RecordBatch.from_pylist([{"article_key": k}]) for k in (3, 1, 3)]
    from schemas.past import KEYS

    joined = join_keys([part.cast(KEYS) for part in parts])
    assert joined.column(0).to_pylist() == [1, 3]
