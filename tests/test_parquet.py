"""Tables to Parquet files: staged, moved into place, manifest last."""

import json

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from transforms import buckets, storage
from transforms.parquet import (
    Commit,
    Part,
    WriteTable,
    commit,
    read_manifest,
    remove_leftovers,
    staging_folder,
    table_files,
    write_part,
)

SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False)], metadata={"version": "1"})
RUN = {"run_id": "one"}
SCHEMAS = {"articles": SCHEMA, "rejects": SCHEMA}


def batch(*ids):
    return pa.RecordBatch.from_pydict({"id": list(ids)}, schema=SCHEMA)


def finished(output, *ids, rejected=(), rows_read=None):
    staging = staging_folder(str(output))
    parts = [
        write_part(
            "articles",
            0,
            [batch(*ids)],
            SCHEMA,
            staging=staging,
            order=["id"],
            statistics={"articles": len(ids), "largest_story": len(ids)},
        ),
        write_part("rejects", 0, [batch(*rejected)], SCHEMA, staging=staging),
    ]
    count = len(ids) + len(rejected) if rows_read is None else rows_read
    return commit(
        str(output),
        staging,
        parts,
        rows_read=count,
        schemas=SCHEMAS,
        settings=RUN,
        replaces=(read_manifest(str(output)) or {}).get("commit"),
    )


def ids_in(output, table="articles"):
    files = sorted((output / table).glob("*.parquet"))
    return [value for path in files for value in pq.read_table(path)["id"].to_pylist()]


def names_in(output):
    return sorted(
        str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()
    )


def test_a_finished_run_leaves_its_tables_and_a_manifest_and_nothing_else(tmp_path):
    manifest = finished(tmp_path, "b", "a", rejected=["c"])
    assert ids_in(tmp_path) == ["a", "b"]
    assert ids_in(tmp_path, "rejects") == ["c"]
    assert read_manifest(str(tmp_path)) == manifest
    assert manifest["statistics"] == {"articles": 2, "largest_story": 2}
    assert len(names_in(tmp_path)) == 3
    assert table_files(str(tmp_path), manifest, "articles") == [
        str(tmp_path / manifest["tables"]["articles"][0]["name"])
    ]


def test_the_schema_with_its_version_is_in_every_file(tmp_path):
    finished(tmp_path, "a")
    (path,) = (tmp_path / "articles").glob("*.parquet")
    assert pq.read_schema(path).metadata[b"version"] == b"1"


def test_a_table_without_rows_still_has_a_file_with_its_columns(tmp_path):
    staging = staging_folder(str(tmp_path))
    commit(str(tmp_path), staging, [], rows_read=0, schemas=SCHEMAS, settings=RUN)
    assert ids_in(tmp_path) == []
    assert len(list((tmp_path / "articles").glob("*.parquet"))) == 1


def test_a_later_run_replaces_the_files_of_the_earlier_one(tmp_path):
    finished(tmp_path, "a", "b")
    finished(tmp_path, "c")
    assert ids_in(tmp_path) == ["c"]
    assert len(names_in(tmp_path)) == 3


def test_rows_that_were_lost_stop_the_run_and_the_earlier_one_stays_in_force(tmp_path):
    finished(tmp_path, "a")
    before = names_in(tmp_path)
    with pytest.raises(ValueError, match="must add up to the 3 rows read, got 1 and 1"):
        finished(tmp_path, "b", rejected=["c"], rows_read=3)
    remove_leftovers(str(tmp_path))
    assert names_in(tmp_path) == before
    assert ids_in(tmp_path) == ["a"]


def test_committing_twice_is_committing_once(tmp_path):
    staging = staging_folder(str(tmp_path))
    part = write_part("articles", 0, [batch("a")], SCHEMA, staging=staging)
    for _ in range(2):
        commit(str(tmp_path), staging, [part], rows_read=1, schemas=SCHEMAS, settings=RUN)
    assert ids_in(tmp_path) == ["a"]


def test_leftovers_of_a_run_that_died_are_removed_and_the_tables_stay(tmp_path):
    finished(tmp_path, "a")
    staging = staging_folder(str(tmp_path))
    write_part("articles", 0, [batch("b")], SCHEMA, staging=staging)
    (tmp_path / "articles" / "part-00000-deadbeef.parquet").write_bytes(b"half")
    remove_leftovers(str(tmp_path))
    assert ids_in(tmp_path) == ["a"]
    assert len(names_in(tmp_path)) == 3
    assert not list(tmp_path.glob("_staging*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a manifest"),
        ("[]", "is not a manifest"),
        (json.dumps({"schema": "other", "version": 1}), "must be newsdedup.manifest"),
        (json.dumps({"schema": "newsdedup.manifest", "version": 1}), "got .* version 1"),
        (json.dumps({"schema": "newsdedup.manifest", "version": 3}), "got .* version 3"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(tmp_path, content, message):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_manifest(str(tmp_path))


def test_a_run_that_was_overtaken_by_another_is_not_put_in_force(tmp_path):
    finished(tmp_path, "a")
    staging = staging_folder(str(tmp_path))
    part = write_part("articles", 0, [batch("b")], SCHEMA, staging=staging)
    with pytest.raises(ValueError, match="another run has finished"):
        commit(str(tmp_path), staging, [part], rows_read=1, schemas=SCHEMAS, settings=RUN)
    assert ids_in(tmp_path) == ["a"]


def test_a_staged_file_that_is_gone_stops_the_commit(tmp_path):
    staging = staging_folder(str(tmp_path))
    part = write_part("articles", 0, [batch("b")], SCHEMA, staging=staging)
    remove_leftovers(str(tmp_path))
    with pytest.raises(ValueError, match="a staged file must stay until it is moved"):
        commit(str(tmp_path), staging, [part], rows_read=1, schemas=SCHEMAS, settings=RUN)
    assert read_manifest(str(tmp_path)) is None


def test_a_file_that_is_not_ours_is_no_leftover(tmp_path):
    finished(tmp_path, "a")
    (tmp_path / "articles" / "mine.parquet").write_bytes(b"mine")
    remove_leftovers(str(tmp_path))
    assert (tmp_path / "articles" / "mine.parquet").read_bytes() == b"mine"


def test_a_folder_without_a_manifest_holds_no_run(tmp_path):
    assert read_manifest(str(tmp_path)) is None


def test_transforms_write_and_commit(tmp_path, apply):
    output, staging = str(tmp_path / "out"), staging_folder(str(tmp_path / "out"))
    parts = [
        part
        for table, ids in (("articles", ["b", "a"]), ("rejects", ["c"]))
        for part in apply(
            WriteTable(table, SCHEMA, ("id",), staging), [batch(value) for value in ids]
        )
    ]
    (manifest,) = apply(
        Commit(output, staging, SCHEMAS, {"run_id": "one"}),
        {"parts": parts, "rows_read": [2, 1]},
    )
    assert manifest["rows_read"] == 3
    assert ids_in(tmp_path / "out") == ["a", "b"]


def test_a_commit_counts_what_was_read_and_rejected(tmp_path):
    output, staging = str(tmp_path / "out"), staging_folder(str(tmp_path / "out"))
    parts = [
        write_part("articles", 0, [batch("a")], SCHEMA, staging=staging),
        write_part("rejects", 0, [batch("b", "c")], SCHEMA, staging=staging),
    ]
    pipeline = beam.Pipeline(runner=FnApiRunner())
    given = {
        "parts": pipeline | "Parts" >> beam.Create(parts, reshuffle=False),
        "rows_read": pipeline | "Rows" >> beam.Create([3], reshuffle=False),
    }
    given | "Commit" >> Commit(output, staging, SCHEMAS, {"run_id": "one"})
    found = pipeline.run().metrics().query(MetricsFilter().with_namespace("newsdedup"))
    counted = {one.key.metric.name: one.committed for one in found["counters"]}
    assert counted == {"rows_read": 3, "rejected": 2}


def test_a_run_that_goes_on_names_the_files_of_the_earlier_ones_too(tmp_path):
    finished(tmp_path, "a")
    before = read_manifest(str(tmp_path))
    (earlier,) = before["tables"]["articles"]
    staging = staging_folder(str(tmp_path))
    stays = Part("articles", "", earlier["name"], earlier["rows"], 0, {})
    new = write_part("articles", 1, [batch("b")], SCHEMA, staging=staging)
    manifest = commit(
        str(tmp_path),
        staging,
        [stays, new],
        rows_read=1,
        schemas=SCHEMAS,
        settings={"run_id": "two"},
        replaces=before["commit"],
        runs=before["runs"],
        read_files=["f"],
    )
    assert ids_in(tmp_path) == ["a", "b"]
    assert [run["run_id"] for run in manifest["runs"]] == ["one", "two"]
    assert (manifest["runs"][1]["articles"], manifest["runs"][1]["files"]) == (1, ["f"])


def in_bucket(output="gs://news/out"):
    """Give the ids of the articles in force in a folder of a bucket."""
    paths = table_files(output, read_manifest(output), "articles")
    parts = [pq.read_table(pa.BufferReader(storage.content_of(path))) for path in paths]
    return [value for part in parts for value in part["id"].to_pylist()]


@pytest.mark.parametrize("output", ["gs://news/out", "gs://news", "gs://news/a b/100% é/"])
def test_a_bucket_holds_what_the_manifest_names_and_nothing_else(output, store):
    for ids in ("ab", "cd"):
        manifest = finished(output, *ids)
        assert in_bucket(output) == list(ids)
        named = [part["name"] for parts in manifest["tables"].values() for part in parts]
        paths = [storage.join(output, name) for name in ("manifest.json", *named)]
        assert {f"gs://news/{name}" for name in store.names("news")} == set(paths)


@pytest.mark.parametrize("status", [503, 403])
@pytest.mark.parametrize("part", [0, 1])
def test_a_commit_that_fails_half_way_leaves_what_was_in_force(
    part, status, store, monkeypatch
):
    monkeypatch.setattr(buckets, "SECONDS_TO_RETRY", 0.05)
    finished("gs://news/out", "a")
    manifest = store.content("news", "out/manifest.json")
    copied = []

    def refusing(method, path, written):
        if "/rewriteTo/" in path:
            copied.append(path)
        return status if len(copied) > part else None

    store.refusing = refusing
    with pytest.raises(OSError, match=r"cannot be reached|may not"):
        finished("gs://news/out", "b")
    store.refusing = lambda *_: None
    assert store.content("news", "out/manifest.json") == manifest
    assert in_bucket() == ["a"]
    remove_leftovers("gs://news/out")
    assert len(store.names("news")) == 3
    finished("gs://news/out", "c")
    assert in_bucket() == ["c"]


def test_of_two_that_commit_at_once_in_a_bucket_one_does(store):
    """Each has looked at the manifest before the other writes it."""
    finished("gs://news/out", "other")
    with store.lock:
        thing = dict(store.storage.objects["news"]["out/manifest.json"])
    content = store.content("news", "out/manifest.json")
    storage.delete(["gs://news/out/manifest.json"])

    def other_comes_first(method, path, written):
        if method == "POST" and written == "out/manifest.json":
            store.storage.create_file("news", written, content, thing)

    store.refusing = other_comes_first
    with pytest.raises(ValueError, match="another run has finished in gs://news/out since"):
        finished("gs://news/out", "late")
    assert in_bucket() == ["other"]


def test_a_commit_whose_answer_was_lost_has_been_made(store):
    """The store wrote the manifest, and the writer was told that it is out of order."""
    replace = storage.replace

    def twice(path, content, *, version):
        replace(path, content, version=version)
        replace(path, content, version=version)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "replace", twice)
        finished("gs://news/out", "b")
    assert in_bucket() == ["b"]
