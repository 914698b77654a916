"""Fields that nothing is decided by: kept for those who ask for them, as they came."""

import datetime
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import batch
from pipeline.cli import main
from pipeline.config import Config
from pipeline.incremental import Additions
from pipeline.querying import answer, connected
from pipeline.show import read_table
from transforms.formats import FIELDS
from transforms.further_fields import further_fields
from transforms.reading import read_files

ROW = {"id": "a", "text": "The dam broke.", "author": "Ann", "tags": ["dam"], "none": None}
COPIES = Config(stories=False)


def kept(values, asked=None):
    text = further_fields(values, {"extra": asked} if asked else {}, FIELDS)
    return text and json.loads(text)


def test_fields_are_kept_when_asked_for_and_only_then():
    assert kept(ROW) is None
    assert kept(ROW, "author,section") == {"author": "Ann"}
    assert kept(ROW, "*") == {"author": "Ann", "tags": ["dam"]}


def test_a_field_that_has_another_use_is_not_kept_twice():
    renamed = further_fields(ROW | {"body": "x"}, {"text": "body", "extra": "*"}, FIELDS)
    assert json.loads(renamed).keys() == {"author", "tags", "text"}


@pytest.mark.parametrize("extra", [{"author": "Ann"}, '{"author": "Ann"}'])
def test_what_a_stream_or_a_table_kept_is_taken_as_it_is(extra):
    assert kept({"extra": extra}) == {"author": "Ann"}
    assert kept({"extra": extra, "section": "town"}, "*") == {
        "author": "Ann",
        "section": "town",
    }


def test_any_other_value_of_that_name_is_kept_under_it():
    assert kept({"extra": "no object"}) == {"extra": "no object"}


def test_values_that_json_lacks_are_written_so_that_it_reads_them():
    values = {"large": 2**70, "nan": float("nan"), "bytes": b"\xff", 1: "one"}
    assert kept(values, "*") == {"large": 2**70, "nan": None, "bytes": "\ufffd", "1": "one"}


def rows_of(path, **fields):
    found = {"raw": [], "rejects": []}
    for name, rows in read_files([str(path)], fields, batch_size=9, max_row_bytes=200):
        if name in found:
            found[name] += rows.to_pylist()
    return found["raw"], found["rejects"]


def test_what_is_kept_may_be_as_long_as_a_row_and_not_nested_without_end(tmp_path):
    path = tmp_path / "a.parquet"
    rows = [{"id": "a", "text": "Text.", "n": 1}, {"id": "b", "text": "x", "n": 2}]
    pq.write_table(
        pa.Table.from_pylist(rows).append_column("long", [["y", "y" * 300]]), path
    )
    raw, rejects = rows_of(path, extra="long")
    assert [row["extra"] for row in raw] == ['{"long":"y"}']
    assert [(row["article_id"], row["reason"]) for row in rejects] == [("b", "too_long")]
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(TypeError, match="extra must not be nested so deeply"):
        further_fields({"deep": deep}, {"extra": "deep"}, FIELDS)


def test_columns_of_parquet_are_read_only_when_asked_for(tmp_path):
    path = tmp_path / "a.parquet"
    time = datetime.datetime(2026, 5, 12, 13, 5, tzinfo=datetime.UTC)
    row = {"id": "a", "text": "Text.", "at": time, "parts": [{"of": 1}], "author": "Ann"}
    pq.write_table(pa.Table.from_pylist([row]), path)
    (raw,), _ = rows_of(path)
    assert raw["extra"] is None
    (raw,), _ = rows_of(path, extra="*")
    assert json.loads(raw["extra"]) == {
        "at": "2026-05-12 13:05:00.000000Z",
        "parts": [{"of": 1}],
        "author": "Ann",
    }


def test_no_field_of_that_name_is_asked_for_in_vain(tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text(json.dumps(ROW))
    given = ["--input", f"{tmp_path}/a.jsonl", "--output", f"{tmp_path}/out"]
    assert main(["run", *given, "--field", "further=author"]) == 2
    assert "field must be one of id, " in capsys.readouterr().err


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Give the folder of two runs, one of two copies and one of another article."""
    tmp_path = tmp_path_factory.mktemp("kept")
    rows = [ROW, ROW | {"id": "b", "author": "Bea"}, {"id": "c", "text": "Bread is dear."}]
    output = str(tmp_path / "out")
    for name, part in (("1", rows[:2]), ("2", rows[2:])):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, part)))
        fields = {"extra": "author"}
        batch.run([str(path)], output, COPIES, fields=fields, additions=Additions())
    return output


@pytest.fixture
def folder(two_runs, tmp_path):
    return str(shutil.copytree(two_runs, tmp_path / "out"))


def authors(output):
    statement = "SELECT article_id, extra->>'author' FROM articles ORDER BY article_id"
    return list(answer(connected(output), statement).rows)


def test_they_go_with_their_article_through_runs_that_add_and_rebuild(
    folder, two_runs, capsys
):
    told = [("a", "Ann"), ("b", "Bea"), ("c", None)]
    assert authors(folder) == told
    given = ["--columns", "article_id,extra"]
    assert main(["export", folder, *given]) == 0
    exported = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["article_id"]: row["extra"] for row in exported} == {
        "a": {"author": "Ann"},
        "b": {"author": "Bea"},
        "c": None,
    }
    again = Config(stories=False, min_containment=0.8)
    paths = [str(path) for path in sorted(Path(two_runs).parent.glob("*.jsonl"))]
    additions = Additions(rebuild=True)
    batch.run(paths, folder, again, fields={}, additions=additions)
    assert authors(folder) == told


def test_a_folder_of_an_earlier_version_has_none_and_can_be_added_to(folder, tmp_path):
    for path in (Path(folder) / "articles").iterdir():
        pq.write_table(pq.read_table(path).drop(["extra"]), path)
    path = tmp_path / "3.jsonl"
    path.write_text(json.dumps(ROW | {"id": "d"}))
    fields = {"extra": "author"}
    batch.run([str(path)], folder, COPIES, fields=fields, additions=Additions())
    assert authors(folder) == [("a", None), ("b", None), ("c", None), ("d", "Ann")]
    assert read_table(folder, "articles").num_rows == 4
