"""Tables to Parquet files: staged under unique names, moved into place, manifest last.

A file appears in its table's folder only after every file of the run is written, and the
run is in force only once `manifest.json` names its files. A reader of the manifest sees
one whole run, before and after; a reader of the folders (`stories/**/*.parquet`) sees the
same after any finished run, because files the manifest no longer names are deleted last.
A run that dies leaves its staging folder, which the next run removes.

Beam's own file sinks are atomic per file, not per set of files, and one of them loses
files whose rename fails (apache/beam#29515), so the moves are made here and checked.
"""

import dataclasses
import datetime
import json
import re
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.batch import Collections, concatenate
from transforms import storage
from transforms.buckets import OvertakenError

MANIFEST = "manifest.json"
MANIFEST_SCHEMA = "newsdedup.manifest"
MANIFEST_VERSION = 2
STAGING = "_staging"
ROW_GROUP_SIZE = 50_000
# Columns of few values, stored as a dictionary. To try one for keys, ids and texts takes
# time, and makes files larger.
REPEATING = (
    *("source", "credited_source", "language", "relation", "run_id", "question", "reason"),
    *("rule", "canonical_reason", "matched_relation"),
)

# What a file of ours is called in the folder of its table.
PART_NAME = re.compile(r"part-[0-9]{5}-[0-9a-f]{8}\.parquet")
OWNER = "owner.json"

# Held while a run of this process is put in force.
COMMITTING = threading.Lock()


class Part(NamedTuple):
    """A file of a table.

    Attributes:
      table: its table.
      staged: where it stands now; "" if it stands where it is to be.
      name: what it is called when in force.
      rows: its rows.
      added: how many of them are of this run's input.
      statistics: numbers for the manifest.
    """

    table: str
    staged: str
    name: str
    rows: int
    added: int
    statistics: dict[str, int]


def write_part(
    table: str,
    shard: int,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    staging: str,
    order: Sequence[str] = (),
    added: int | None = None,
    statistics: Mapping[str, int] | None = None,
) -> Part:
    """Write one shard of a table to the staging folder.

    Args:
      table: name of the table, which is its folder.
      shard: number of the shard; files sort by it.
      batches: the rows.
      schema: of the table; its metadata goes into the file.
      staging: folder of this attempt. Its last name is part of the file's name, so that
        no run writes over a file of another.
      order: columns to sort by, which together tell any two rows apart; none for rows
        that are in order.
      added: rows of this run's input; all of them by default.
      statistics: numbers for the manifest; added up over the parts of a table, but the
        largest is taken of one whose name begins with "largest".
    """
    rows = pa.Table.from_batches([concatenate(batches, schema)])
    if order:
        rows = rows.sort_by([(name, "ascending") for name in order])
    token = _token(staging)
    # A bundle may be tried more than once, also twice at the same time.
    staged = storage.join(staging, f"{table}-{shard:05d}-{uuid.uuid4().hex}.parquet")
    with storage.created(staged) as stream:
        pq.write_table(
            rows,
            stream,
            compression="zstd",
            row_group_size=ROW_GROUP_SIZE,
            use_dictionary=[name for name in REPEATING if name in schema.names],
        )
    return Part(
        table,
        staged,
        f"{table}/part-{shard:05d}-{token}.parquet",
        rows.num_rows,
        rows.num_rows if added is None else added,
        dict(statistics or {}),
    )


@dataclasses.dataclass(eq=False)
class WriteTable(beam.PTransform):
    """Write batches as one Parquet file, for a table small enough; give its part.

    Attributes:
      table: name of the table.
      schema: of its rows.
      order: columns to sort by, as in `write_part`.
      staging: folder of this attempt.
    """

    table: str
    schema: pa.Schema
    order: Sequence[str]
    staging: str

    def expand(self, batches: beam.PCollection[pa.RecordBatch]) -> beam.PCollection[Part]:
        """Gather and write."""
        return (
            batches
            | "Gather" >> beam.combiners.ToList().without_defaults()
            | "Write" >> beam.Map(self._write).with_output_types(Part)
        )

    def _write(self, batches: list[pa.RecordBatch]) -> Part:
        return write_part(
            self.table, 0, batches, self.schema, order=self.order, staging=self.staging
        )


def staging_folder(output: str) -> str:
    """Name a new staging folder, one for every attempt at a run."""
    return storage.join(output, f"{STAGING}-{uuid.uuid4().hex[:8]}")


def read_manifest(output: str) -> dict[str, Any] | None:
    """Read what is in force in an output folder; null if no run has finished there.

    What it names is read, written anew and deleted, so it can name nothing but files of
    tables in its own folder.

    Raises:
      ValueError: if the manifest is not one of ours, or of a later version.
    """
    found = _current_manifest(output)
    return found[0] if found else None


def _current_manifest(output: str) -> tuple[dict[str, Any], int] | None:
    """Read a manifest and its version, as of `storage.current`."""
    path = storage.join(output, MANIFEST)
    found = storage.current(path)
    if found is None:
        return None
    content, version_stored = found
    try:
        manifest = json.loads(content)
        schema, version = manifest["schema"], manifest["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a manifest of newsdedup: {error}") from error
    if schema != MANIFEST_SCHEMA or version != MANIFEST_VERSION:
        raise ValueError(
            f"{path} must be {MANIFEST_SCHEMA} version {MANIFEST_VERSION}, "
            f"got {schema} version {version}"
        )
    if amiss := _amiss(manifest):
        raise ValueError(f"{path} is not a manifest of newsdedup: {amiss}")
    return dict(manifest), version_stored


# What a manifest has beside its tables, and of what type each is.
_MANIFEST_TYPES = {
    "commit": str,
    "run_id": str,
    "config": dict,
    "models": dict,
    "runs": list,
    "statistics": dict,
    "tables": dict,
}


def _amiss(manifest: Mapping[str, Any]) -> str | None:
    """Say what of a manifest could not have been written here."""
    for name, kind in _MANIFEST_TYPES.items():
        if not isinstance(manifest.get(name, kind()), kind):
            return f"{name} must be of type {kind.__name__}"
    if missing := {"commit", "runs", "tables"} - set(manifest):
        return f"it has no {min(missing)}"
    for run in manifest["runs"]:
        if not (isinstance(run, dict) and isinstance(run.get("files"), list)):
            return "a run must name its files"
    for table, listed in manifest["tables"].items():
        for part in listed if isinstance(listed, list) else [listed]:
            found = part if isinstance(part, dict) else {}
            folder, _, file = str(found.get("name")).partition("/")
            if folder != table or not PART_NAME.fullmatch(file):
                return f"table {table!r} must name files of its own, got {found!r}"
            if not (isinstance(found.get("rows"), int) and found["rows"] >= 0):
                return f"{table}/{file} must have a number of rows"
            if not isinstance(found.get("statistics"), dict):
                return f"{table}/{file} must have statistics"
    return None


def table_files(output: str, manifest: Mapping[str, Any], table: str) -> list[str]:
    """Give the paths of a table's files in force, in the order of their rows."""
    return [storage.join(output, part["name"]) for part in manifest["tables"][table]]


def commit(
    output: str,
    staging: str,
    parts: Sequence[Part],
    *,
    rows_read: int,
    schemas: Mapping[str, pa.Schema],
    settings: Mapping[str, Any],
    replaces: str | None = None,
    runs: Sequence[Mapping[str, Any]] = (),
    read_files: Sequence[str] = (),
) -> dict[str, Any]:
    """Put a run in force: move its files into place, write the manifest, drop the old.

    Doing it twice is doing it once, so a runner may try again.

    Args:
      output: the output folder.
      staging: the folder that `parts` were staged in.
      parts: every file of the run.
      rows_read: rows that were read, counted where they were read.
      schemas: of every table; one without rows gets an empty file, so that a query over
        its folder finds its columns.
      settings: what the manifest records of the run: its id and its settings.
      replaces: `commit` of the manifest that was in force when the run began; None where
        there was none.
      runs: what the manifest that is continued tells of its runs.
      read_files: what it is to tell of the files that were read.

    Returns:
      The manifest.

    Raises:
      ValueError: if a row that was read is in no table, if a staged file is gone, or if
        another run has finished in the folder meanwhile.
    """
    token = _token(staging)
    found = _current_manifest(output)
    previous, version = found or (None, 0)
    in_force = (previous or {}).get("commit")
    if in_force not in (replaces, token):
        raise ValueError(f"another run has finished in {output} since this one began")
    tables: dict[str, list[Part]] = defaultdict(list)
    for part in sorted(parts, key=lambda part: part.name):
        tables[part.table].append(part)
    for table, schema in schemas.items():
        if not tables[table]:
            tables[table].append(write_part(table, 0, [], schema, staging=staging))
    kept = sum(part.added for part in tables["articles"])
    rejected = sum(part.added for part in tables["rejects"])
    if kept + rejected != rows_read:
        raise ValueError(
            f"articles and rejects must add up to the {rows_read} rows read, "
            f"got {kept} and {rejected}"
        )
    for table in tables:
        storage.make_folder(storage.join(output, table))
    # The staged file is gone when an earlier try at this commit has moved it.
    waiting = storage.existing(part.staged for part in _flat(tables) if part.staged)
    moves = {
        part.staged: storage.join(output, part.name)
        for part in _flat(tables)
        if part.staged in waiting
    }
    others = {storage.join(output, name) for name in _names(tables)} - {*moves.values()}
    for path in sorted(others - storage.existing(others)):
        raise ValueError(f"a staged file must stay until it is moved, {path} is gone")
    storage.move(list(moves.items()))
    finished_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    run = {
        "run_id": settings["run_id"],
        "finished_at": finished_at,
        "rows_read": rows_read,
        "articles": kept,
        "files": list(read_files),
    }
    manifest = {
        "schema": MANIFEST_SCHEMA,
        "version": MANIFEST_VERSION,
        "commit": token,
        **settings,
        "finished_at": finished_at,
        "rows_read": rows_read,
        "runs": [*runs, run],
        "statistics": _statistics(tables),
        "tables": {
            table: [
                {"name": part.name, "rows": part.rows, "statistics": part.statistics}
                for part in listed
            ]
            for table, listed in sorted(tables.items())
        },
    }
    _put_in_force(output, manifest, version)
    if previous is not None:
        names = set(_names(tables))
        _delete(
            output,
            [
                part["name"]
                for listed in previous["tables"].values()
                for part in listed
                if part["name"] not in names
            ],
        )
    storage.delete_folder(staging)
    return manifest


def _put_in_force(output: str, manifest: Mapping[str, Any], version: int) -> None:
    path = storage.join(output, MANIFEST)
    content = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
    try:
        storage.replace(path, content, version=version)
    except OvertakenError as error:
        # What was told of an attempt may be lost, and the next finds what that wrote.
        if (read_manifest(output) or {}).get("commit") != manifest["commit"]:
            raise ValueError(
                f"another run has finished in {output} since this one began"
            ) from error


def _token(staging: str) -> str:
    return staging.rstrip("/").rsplit("-", 1)[-1]


def _names(tables: Mapping[str, Sequence[Part]]) -> list[str]:
    return [part.name for part in _flat(tables)]


def _flat(tables: Mapping[str, Sequence[Part]]) -> list[Part]:
    return [part for listed in tables.values() for part in listed]


def _delete(output: str, names: Sequence[str]) -> None:
    storage.delete(storage.join(output, name) for name in names)


def _statistics(tables: Mapping[str, Sequence[Part]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for part in _flat(tables):
        for name, value in part.statistics.items():
            before = totals.get(name, 0)
            totals[name] = (
                max(before, value) if name.startswith("largest") else before + value
            )
    return totals


@dataclasses.dataclass(eq=False)
class Commit(beam.PTransform):
    """Put a run in force once all its parts are written; give its manifest.

    Applied to a dict: `parts`, and `rows_read`, numbers to be added up.

    Attributes: those of `commit`.
    """

    output: str
    staging: str
    schemas: Mapping[str, pa.Schema]
    settings: Mapping[str, Any]
    replaces: str | None = None
    runs: Sequence[Mapping[str, Any]] = ()
    read_files: Sequence[str] = ()

    def expand(self, given: Collections) -> beam.PCollection[Any]:
        """Wait for everything, then commit in one place."""
        rows = given["rows_read"] | "Add rows read" >> beam.CombineGlobally(sum)
        return (
            given["parts"].pipeline
            | "Once" >> beam.Create([None], reshuffle=False)
            | "Commit"
            >> beam.Map(
                self._commit,
                parts=beam.pvalue.AsList(given["parts"]),
                rows_read=beam.pvalue.AsSingleton(rows),
            )
        )

    def _commit(self, _: None, parts: list[Part], rows_read: int) -> dict[str, Any]:
        with COMMITTING:
            manifest = commit(
                self.output,
                self.staging,
                parts,
                rows_read=rows_read,
                schemas=self.schemas,
                settings=self.settings,
                replaces=self.replaces,
                runs=self.runs,
                read_files=self.read_files,
            )
        # Who launched the run is told of rejects by these.
        counter = beam.metrics.Metrics.counter
        counter("newsdedup", "rows_read").inc(rows_read)
        counter("newsdedup", "rejected").inc(rows_read - manifest["runs"][-1]["articles"])
        return manifest


def remove_leftovers(output: str, *, but: str = "") -> None:
    """Remove what runs that died left: staging folders, and files no manifest names.

    Args:
      output: the output folder.
      but: a staging folder that stays.
    """
    manifest = read_manifest(output)
    named = {
        part["name"]
        for listed in (manifest or {"tables": {}})["tables"].values()
        for part in listed
    }
    root = output.rstrip("/") + "/"
    stays = but.rstrip("/").rpartition("/")[2]
    names = [found.path.removeprefix(root) for found in storage.files(output)]
    names = [name for name in names if name.split("/")[0] != stays]
    storage.delete(
        storage.join(output, name)
        for name in names
        if name.startswith((STAGING, f".{MANIFEST}"))
        or (PART_NAME.fullmatch(name.split("/", 1)[-1]) and name not in named)
    )
    for folder in {name.split("/")[0] for name in names}:
        if folder.startswith(STAGING):
            storage.delete_folder(storage.join(output, folder))
