"""The tables of an output folder, for DuckDB: what the manifest names, and nothing else.

DuckDB is given no file system: the tables are Arrow data sets that it reads column by
column as a statement asks, from disk or from any file system that Beam knows. So a
statement sees what is in force, wherever it lies, can write to no file, and loads no
extension.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from pipeline.show import manifest_of
from transforms import storage
from transforms.parquet import table_files

_ROWS_AT_ONCE = 1_000


class Answer(NamedTuple):
    """What a statement gives.

    Attributes:
      names: of the columns.
      types: of the columns, in DuckDB's words.
      rows: as Python values, fetched as they are asked for.
    """

    names: Sequence[str]
    types: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


def table_data_set(
    output: str, manifest: Mapping[str, Any], table: str
) -> ds.FileSystemDataset:
    """Give a table in force as a data set, which reads when and what it is asked to.

    Raises:
      ValueError: if a file of it is gone or broken.
    """
    kind = ds.ParquetFileFormat()
    fragments = []
    schemas = []
    for path in table_files(output, manifest, table):
        try:
            if "://" in path:
                stream = storage.opened(path)
                fragments.append(kind.make_fragment(pa.PythonFile(stream, mode="r")))
            else:
                fragments.append(kind.make_fragment(path, LocalFileSystem()))
            schemas.append(fragments[-1].physical_schema)
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{path} must be a file of the run, got {error}") from error
    # A file of an earlier version of a schema may lack columns: they are null.
    return ds.FileSystemDataset(fragments, pa.unify_schemas(schemas), kind)


def connected(output: str) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with a view for every table of an output folder.

    Besides them `runs` has a row a run that the folder is made of, and its number: in
    which order they came the manifest alone says. Columns of a type that DuckDB does not
    know, which `index` alone has, are left out.

    Raises:
      ValueError: if no run has finished there, or a file of it is gone or broken.
    """
    manifest = manifest_of(output)
    connection = duckdb.connect(
        config={"enable_external_access": False, "python_enable_replacements": False}
    )
    for table in manifest["tables"]:
        rows = table_data_set(output, manifest, table)
        known = [field for field in rows.schema if not _is_of_halves(field.type)]
        connection.register(table, rows.replace_schema(pa.schema(known)))
    told = ("run_id", "finished_at", "rows_read", "articles")
    runs = [
        {"number": number, **{name: run[name] for name in told}}
        for number, run in enumerate(manifest["runs"], 1)
    ]
    connection.register("runs", pa.Table.from_pylist(runs))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


def _is_of_halves(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) and pa.types.is_float16(kind.value_type)


def answer(connection: duckdb.DuckDBPyConnection, statement: str) -> Answer:
    """Ask for what a statement gives.

    Args:
      connection: as of `connected`.
      statement: SQL; of several the last counts.

    Raises:
      ValueError: if DuckDB refuses it, in DuckDB's words.
    """
    with _Refusals():
        found = connection.execute(statement)
    # A text of blanks and comments asks for nothing.
    about = found.description or []
    names = [column[0] for column in about]
    types = [str(column[1]) for column in about]
    return Answer(names, types, _rows(found) if about else iter(()))


def _rows(found: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while True:
        with _Refusals():
            rows = found.fetchmany(_ROWS_AT_ONCE)
        if not rows:
            return
        yield from rows


class _Refusals:
    """Says in one sentence what DuckDB refuses."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, duckdb.Error):
            # After a blank line follows the statement with a mark under the place.
            sentence = str(error).partition("\n\nLINE ")[0]
            raise ValueError(" ".join(sentence.split())) from error
