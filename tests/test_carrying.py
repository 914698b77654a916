"""What earlier runs wrote and this one does not change."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from schemas.past import LEDGER
from schemas.story import CHANGES
from transforms.carrying import MANY_SMALL, Leaving, Stored, carried, leaving, staying
from transforms.continuing import CHANGED
from transforms.membership import MEMBERSHIP

NOTHING = Leaving(np.zeros(0, np.uint64), np.zeros(0, np.uint64), -(1 << 60))


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
    gone = leaving(ledger, members, changed, index_days=5)
    assert gone.articles.tolist() == [1, 2]
    assert gone.stories.tolist() == [1]
    assert gone.oldest == 4 * day


def test_rows_leave_by_article_by_story_and_by_age(tmp_path):
    gone = Leaving(np.array([key("a")]), np.array([key("s")]), 100)
    assert staying(
        "articles", id_file(tmp_path, "article_id", "a", "b"), gone
    ).tolist() == [
        False,
        True,
    ]
    assert staying("stories", id_file(tmp_path, "story_id", "a", "s"), gone).tolist() == [
        True,
        False,
    ]
    published = pa.array([100, 100, 99, None], pa.int64())
    path = id_file(tmp_path, "article_id", "a", "b", "c", "d", published=published)
    assert staying("index", path, gone).tolist() == [False, True, False, True]


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
    gone = Leaving(np.zeros(0, np.uint64), np.array([key("s")]), 0)
    file = Stored(path, "stories/part-00000-aaaaaaaa.parquet", 1, {"stories": 1})
    schema = pq.read_schema(path)
    assert list(carried("stories", schema, [file], gone, staging=str(tmp_path))) == []
