"""What earlier runs wrote and this one does not change."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from schemas.past import LEDGER, VECTOR
from schemas.story import CHANGES, INDEX
from transforms.carrying import (
    MANY_SMALL,
    Leaving,
    Stored,
    carried,
    leaving,
    runs_of,
    staying,
    without_carried,
)
from transforms.continuing import CHANGED
from transforms.membership import MEMBERSHIP
from transforms.parquet import write_part

NONE = np.zeros(0, np.uint64)
NOTHING = Leaving(NONE, NONE, NONE, -(1 << 60))


def key(name):
    return xxhash.xxh3_64_intdigest(name.encode())


def changes_file(folder, number, *stories):
    rows = [
        {
            "change": "story_assigned",
            "article_id": story,
            "story_id": story,
            "previous_id": None,
            "run_id": "old",
        }
        for story in stories
    ]
    name = f"changes/part-{number:05d}-aaaaaaaa.parquet"
    path = folder / f"{number}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=CHANGES), path)
    return Stored(str(path), name, len(rows), {})


def id_file(folder, column, *ids, **more):
    path = str(folder / f"{column}.parquet")
    pq.write_table(pa.table({column: pa.array(ids), **more}), path)
    return path


def test_what_leaves_are_members_of_stories_that_change_and_what_is_old():
    day = 86_400
    ledger = pa.RecordBatch.from_pylist(
        [
            {"article_key": 1, "published": 0, "group_key": 1, "story_key": 1},
            {"article_key": 2, "published": 9 * day, "group_key": 2, "story_key": 1},
            {"article_key": 3, "published": None, "group_key": 3, "story_key": 3},
        ],
        schema=pa.schema([field.with_nullable(True) for field in LEDGER]),
    ).cast(LEDGER.set(2, pa.field("word_count", pa.int32())))
    members = pa.RecordBatch.from_pylist(
        [
            {"article_key": k, "group_key": k, "representative_key": 0, "story_key": story}
            for k, story in ((1, 7), (2, 7), (3, 3), (7, 7))
        ],
        schema=MEMBERSHIP,
    )
    changed = pa.RecordBatch.from_pylist([{"story_key": 7}], schema=CHANGED)
    gone = leaving(ledger, members, changed, index_days=5, least_articles=1)
    assert gone.articles.tolist() == [1, 2]
    assert gone.stories.tolist() == [1]
    assert gone.oldest == 4 * day


def test_fingerprints_are_kept_while_there_are_few():
    day = 86_400
    rows = [
        {
            "article_key": number,
            "published": number * day,
            "word_count": 9,
            "group_key": number,
            "story_key": number,
        }
        for number in range(1, 10)
    ]
    ledger = pa.RecordBatch.from_pylist(rows, schema=LEDGER)
    none = (
        pa.RecordBatch.from_pylist([], schema=schema) for schema in (MEMBERSHIP, CHANGED)
    )
    given = (ledger, *none)
    assert leaving(*given, index_days=1).oldest < day
    assert leaving(*given, index_days=1, least_articles=4).oldest == 6 * day
    assert leaving(*given, index_days=7, least_articles=4).oldest == 2 * day


def test_rows_leave_by_article_by_story_and_by_age(tmp_path):
    gone = Leaving(np.array([key("a")]), np.array([key("a")]), np.array([key("s")]), 100)
    path = id_file(tmp_path, "article_id", "a", "b")
    assert staying("articles", path, gone)[0].tolist() == [False, True]
    path = id_file(tmp_path, "story_id", "a", "s")
    assert staying("stories", path, gone)[0].tolist() == [True, False]
    published = pa.array([100, 100, 99, None], pa.int64())
    path = id_file(tmp_path, "article_id", "a", "b", "c", "d", published=published)
    stays, again = staying("index", path, gone)
    assert stays.tolist() == [False, True, False, True]
    assert again.tolist() == [True, False, False, False]


def test_a_row_of_the_index_that_does_not_change_stays_however_old(tmp_path):
    gone = Leaving(np.array([key("a")]), NONE, np.array([key("s")]), 100)
    published = pa.array([99, 99], pa.int64())
    path = id_file(tmp_path, "article_id", "a", "b", published=published)
    stays, again = staying("index", path, gone)
    assert stays.tolist() == again.tolist() == [True, False]


def test_articles_change_in_the_index_by_group_by_story_by_copies_and_by_vector():
    rows = [
        {
            "article_key": number,
            "published": 0,
            "word_count": 9,
            "group_key": number,
            "story_key": 1,
        }
        for number in range(1, 7)
    ]
    ledger = pa.RecordBatch.from_pylist(rows, schema=LEDGER)
    now = [(1, 0, 1), (9, 0, 1), (3, 3, 1), (4, 0, 1), (5, 0, 1), (6, 0, 8)]
    members = pa.RecordBatch.from_pylist(
        [
            {
                "article_key": number,
                "group_key": group,
                "representative_key": standing,
                "story_key": story,
            }
            for number, (group, standing, story) in enumerate(now, 1)
        ],
        schema=MEMBERSHIP,
    )
    changed = pa.RecordBatch.from_pylist([{"story_key": 1}], schema=CHANGED)
    late = pa.RecordBatch.from_pylist([{"article_key": 4, "vector": [0.0]}], schema=VECTOR)
    gone = leaving(ledger, members, changed, [late], index_days=5)
    assert gone.articles.tolist() == [1, 2, 3, 4, 5]
    assert gone.indexed.tolist() == [2, 3, 4]


@hypothesis.given(st.lists(st.booleans(), max_size=12))
def test_runs_hold_what_is_chosen(chosen):
    found = [
        place
        for begin, length in runs_of(np.array(chosen, np.bool_))
        for place in range(begin, begin + length)
    ]
    assert found == [place for place, kept in enumerate(chosen) if kept]


def index_rows(*ids):
    columns = {
        "article_key": pa.array([key(name) for name in ids], pa.uint64()),
        "article_id": pa.array(ids),
    }
    arrays = []
    for field in INDEX:
        if field.name in columns:
            arrays.append(columns[field.name].cast(field.type))
        elif pa.types.is_fixed_size_list(field.type):
            zeros = [[0] * field.type.list_size] * len(ids)
            arrays.append(pa.array(zeros, field.type))
        elif pa.types.is_list(field.type):
            arrays.append(pa.array([[]] * len(ids), field.type))
        else:
            zero = {"string": "x", "bool": True}.get(str(field.type), 0)
            arrays.append(pa.array([zero] * len(ids), field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=INDEX)


def test_rows_of_articles_that_are_written_again_are_handed_on(tmp_path):
    staging = tmp_path / "_staging-1"
    staging.mkdir()
    path = tmp_path / "part.parquet"
    pq.write_table(pa.Table.from_batches([index_rows("a", "b", "c")]), path)
    file = Stored(str(path), "index/part-00000-aaaaaaaa.parquet", 3, {})
    again = np.array(sorted([key("a"), key("b")]), np.uint64)
    kept, left = carried(
        "index", INDEX, [file], Leaving(again, NONE, NONE, 0), staging=str(staging)
    )
    assert (kept.name, kept.staged) == (file.name, "")
    assert pq.read_table(left.path).column("article_id").to_pylist() == ["a", "b"]
    gone = Leaving(again, np.array([key("a")], np.uint64), NONE, 0)
    anew, left = carried("index", INDEX, [file], gone, staging=str(staging))
    assert pq.read_table(anew.staged).column("article_id").to_pylist() == ["b", "c"]
    assert pq.read_table(left.path).column("article_id").to_pylist() == ["a", "b"]


def test_what_stays_in_the_index_is_not_written_again(tmp_path):
    staging = tmp_path / "_staging-1"
    staging.mkdir()
    own = index_rows("a", "b", "new")
    part = write_part("index", 3, [own], INDEX, staging=str(staging))
    again = np.array(sorted([key("a"), key("b")]), np.uint64)
    gone = Leaving(again, np.array([key("b")], np.uint64), NONE, 0)
    left = without_carried(part, gone, str(staging))
    assert (left.name, left.rows) == (part.name, 2)
    assert pq.read_table(left.staged).column("article_id").to_pylist() == ["b", "new"]
    assert left.statistics == {"embedded_articles": 2}
    assert without_carried(part, NOTHING, str(staging)) == part
    other = part._replace(table="articles")
    assert without_carried(other, gone, str(staging)) == other


def test_a_file_that_does_not_change_is_named_as_it_is(tmp_path):
    file = changes_file(tmp_path, 0, "x")
    (part,) = carried("changes", CHANGES, [file], NOTHING, staging=str(tmp_path / "s-1"))
    assert (part.name, part.staged, part.rows, part.added) == (file.name, "", 1, 0)


@pytest.mark.parametrize("count", [MANY_SMALL - 1, MANY_SMALL])
def test_many_small_files_are_joined(tmp_path, count):
    files = [changes_file(tmp_path, number, f"s{number}") for number in range(count)]
    staging = tmp_path / "_staging-1"
    staging.mkdir()
    parts = list(carried("changes", CHANGES, files, NOTHING, staging=str(staging)))
    assert len(parts) == (1 if count == MANY_SMALL else count)
    assert sum(part.rows for part in parts) == count
    assert all(part.added == 0 for part in parts)
    if count == MANY_SMALL:
        found = pq.read_table(parts[0].staged).column("story_id").to_pylist()
        assert found == [f"s{number}" for number in range(count)]


def test_of_a_file_of_which_all_rows_leave_nothing_is_written(tmp_path):
    path = id_file(tmp_path, "story_id", "s")
    gone = Leaving(NONE, NONE, np.array([key("s")]), 0)
    file = Stored(path, "stories/part-00000-aaaaaaaa.parquet", 1, {"stories": 1})
    schema = pq.read_schema(path)
    assert list(carried("stories", schema, [file], gone, staging=str(tmp_path))) == []
