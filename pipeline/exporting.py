"""Exporting: the articles of an output folder as one file, batch by batch.

For those who want the corpus and not the tables. What is held is some thousand articles,
however many there are.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.row_formats import write_csv, write_json_lines
from pipeline.show import manifest_of
from schemas.story import ARTICLES
from transforms import storage
from transforms.parquet import table_files
from transforms.past import as_written_now
from transforms.speakers import COPY_RELATIONS

_ROWS_AT_ONCE = 2_000
# Of a Parquet file: each is read, and held when it is written, as a whole.
_ROWS_OF_A_GROUP = 10_000


def exported(
    output: str, *, canonical_only: bool = False, columns: Sequence[str] = ()
) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Give the articles of an output folder, story by story as they lie there.

    Args:
      output: folder that a run wrote.
      canonical_only: leave out copies: of each copy group only the article that speaks for
        it is given.
      columns: of `articles/`, in the order wanted; all by default.

    Returns:
      The schema of what is given, and the batches.

    Raises:
      ValueError: if no run has finished there, a file of it is gone or broken, or a column
        is none of `articles/`.
    """
    paths = table_files(output, manifest_of(output), "articles")
    names = list(columns) or ARTICLES.names
    for name in names:
        if name not in ARTICLES.names:
            known = ", ".join(ARTICLES.names)
            raise ValueError(f"columns must be of {known}; got {name}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"a column must be named once, got {twice[0]} several times")
    schema = pa.schema([ARTICLES.field(name) for name in names])
    return schema, _batches(paths, schema, canonical_only)


def _batches(
    paths: Sequence[str], schema: pa.Schema, canonical_only: bool
) -> Iterator[pa.RecordBatch]:
    # A data set would hold whole row groups, which are fifty thousand articles.
    read = {*schema.names, "relation"}
    for path in paths:
        try:
            with storage.opened(path) as stream:
                file = pq.ParquetFile(stream)
                there = [name for name in file.schema_arrow.names if name in read]
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=there):
                    if canonical_only:
                        copies = pa.array(COPY_RELATIONS)
                        is_copy = pc.is_in(batch.column("relation"), copies)
                        batch = batch.filter(pc.invert(is_copy))
                    yield as_written_now(batch, schema)
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{path} must be a file of the run, got {error}") from error


def write_text(
    kind: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], stream: TextIO
) -> None:
    """Write batches as "csv" or "jsonl"."""
    write = write_csv if kind == "csv" else write_json_lines
    write(schema.names, _rows(batches), stream)


def _rows(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        columns = {
            name: column.to_pylist()
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        }
        if "extra" in columns:
            columns["extra"] = [text and orjson.loads(text) for text in columns["extra"]]
        yield from zip(*columns.values(), strict=True)


def write_parquet(schema: pa.Schema, batches: Iterator[pa.RecordBatch], path: Path) -> None:
    """Write batches as one Parquet file, a row group at a time."""
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        held: list[pa.RecordBatch] = []
        for batch in batches:
            held.append(batch)
            if sum(part.num_rows for part in held) >= _ROWS_OF_A_GROUP:
                writer.write_table(pa.Table.from_batches(held, schema))
                held = []
        writer.write_table(pa.Table.from_batches(held, schema))
