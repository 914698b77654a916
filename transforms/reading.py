"""Reading: files become raw rows; what cannot be read becomes a reject with its reason.

Whatever is wrong with a row costs that row, whatever is wrong with a file costs the rest
of that file, and both are counted: rows read equal raw rows plus rejects, always. What
the network does to a file (a server out of order) is not the file's fault: it is raised,
and Beam tries again.

Small files share a batch, large ones make many; a batch never grows beyond
`BATCH_BYTES` of text by more than one row.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError

from schemas.article import RAW, REJECT
from schemas.batch import Collections
from transforms.buckets import UnreachableError
from transforms.decoding import ExpansionError, file_chunks, unpacked, utf8_chunks
from transforms.formats import (
    FIELDS,
    Reject,
    Row,
    characters,
    json_line_rows,
    json_rows,
    parquet_rows,
    raw_values,
    whole_file_row,
)
from transforms.further_fields import EXTRA
from transforms.listing import file_format, file_groups, file_sizes, is_folder

MAX_ROW_BYTES = 16 << 20
# A batch closes early when its texts reach this, so that long articles make short batches.
BATCH_BYTES = 32 << 20

UNREADABLE = (OSError, BeamIOError, pa.ArrowException)


def checked_fields(fields: Mapping[str, str]) -> Mapping[str, str]:
    """Give the renamings back if every one is of a field that articles have.

    Args:
      fields: our name of a field -> its name in the input.

    Raises:
      ValueError: if an article has no such field.
    """
    for ours, theirs in fields.items():
        if ours not in (known := (*FIELDS, EXTRA)):
            raise ValueError(
                f"field must be one of {', '.join(known)}, got {ours} in {ours}={theirs}"
            )
    return fields


def read_rows(
    path: str, fields: Mapping[str, str], *, batch_size: int, max_row_bytes: int
) -> Iterator[Row | Reject]:
    """Give every row of a file; a file that fails ends with a reject that says so."""
    position = 0
    try:
        for row in _rows(path, fields, batch_size, max_row_bytes):
            position = row.position
            yield row
    except ExpansionError as error:
        yield Reject(position + 1, "too_long", str(error))
    except EOFError as error:
        detail = f"the compressed file breaks off here: {error}"
        yield Reject(position + 1, "truncated", detail)
    except UnreachableError:
        raise
    except UNREADABLE as error:
        detail = f"{type(error).__name__}: {error}"[:160]
        yield Reject(position + 1, "unreadable_file", detail)


def _rows(
    path: str, fields: Mapping[str, str], batch_size: int, max_row_bytes: int
) -> Iterator[Row | Reject]:
    if is_folder(path):
        raise OSError("a folder that cannot be listed, or a link to one: name it as input")
    kind, codec = file_format(path)
    if kind == "parquet":
        yield from parquet_rows(path, fields, batch_size)
    elif kind in ("text", "html"):
        yield whole_file_row(unpacked(file_chunks(path, codec)), kind, max_row_bytes)
    else:
        repaired, chunks = utf8_chunks(unpacked(file_chunks(path, codec)))
        if kind == "json":
            yield from json_rows(chunks, fields, repaired, max_row_bytes)
        else:
            yield from json_line_rows(chunks, repaired, max_row_bytes)


def read_files(
    paths: Iterable[str],
    fields: Mapping[str, str],
    *,
    batch_size: int,
    max_row_bytes: int,
    folder: str = "",
) -> Iterator[tuple[str, pa.RecordBatch | int]]:
    """Read files into batches that files share.

    Args:
      paths: of known formats.
      fields: our name of a field -> its name in the input.
      batch_size: rows of a batch; fewer where the texts are long.
      max_row_bytes: a longer row, or file of one article, is rejected.
      folder: that relative paths are meant from; "": where this process stands.

    Yields:
      as `row_batches` does.
    """

    def rows() -> Iterator[tuple[str, Row | Reject]]:
        for path in paths:
            # A name on disk need not be text.
            file = path.encode(errors="backslashreplace").decode()
            reached = path if "://" in path else os.path.join(folder, path)
            for row in read_rows(
                reached, fields, batch_size=batch_size, max_row_bytes=max_row_bytes
            ):
                yield file, row

    yield from row_batches(
        rows(), fields, batch_size=batch_size, max_row_bytes=max_row_bytes
    )


def row_batches(
    rows: Iterable[tuple[str, Row | Reject]],
    fields: Mapping[str, str],
    *,
    batch_size: int,
    max_row_bytes: int,
) -> Iterator[tuple[str, pa.RecordBatch | int]]:
    """Check rows, each with the name of its file, and put them into batches.

    Args:
      rows: as found, and what was rejected already.
      fields: our name of a field -> its name in the input.
      batch_size: rows of a batch; fewer where the texts are long.
      max_row_bytes: a longer row is rejected.

    Yields:
      ("raw", batch of RAW), ("rejects", batch of REJECT) and at the end once
      ("rows_read", number of rows seen, rejected ones included).
    """
    raw: list[tuple[object, ...]] = []
    rejects: list[tuple[object, ...]] = []
    rows_read = size = 0
    for file, row in rows:
        rows_read += 1
        values = raw_values(row, fields, max_row_bytes) if isinstance(row, Row) else row
        if isinstance(values, Reject):
            place = (file, values.position, values.article_id)
            rejects.append((*place, values.reason, values.detail))
        else:
            texts, repaired = values
            raw.append((file, row.position, *texts.values(), repaired))
            size += characters(texts)
        if len(raw) >= batch_size or size >= BATCH_BYTES:
            yield "raw", _batch(raw, RAW)
            raw, size = [], 0
        if len(rejects) >= batch_size:
            yield "rejects", _batch(rejects, REJECT)
            rejects = []
    if raw:
        yield "raw", _batch(raw, RAW)
    if rejects:
        yield "rejects", _batch(rejects, REJECT)
    yield "rows_read", rows_read


def _batch(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Make a batch of rows, each with the values of the schema in its order."""
    columns = zip(schema.types, zip(*rows, strict=True), strict=True)
    arrays = [pa.array(values, kind) for kind, values in columns]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["raw"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["rejects"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["rows_read"], int]
)


@dataclasses.dataclass(eq=False)
class ReadArticles(beam.PTransform):
    """Read files into raw rows; applied to a pipeline.

    Gives `raw` (batches of RAW), `rejects` (batches of REJECT) and `rows_read` (numbers
    to be added up: rows seen at the source).

    Attributes:
      files: what `matched_files` found.
      fields: our name of a field -> its name in the input, where they differ.
      batch_size: rows of a batch.
      max_row_bytes: a longer row, or file of one article, is rejected.
      folder: that relative paths are meant from; by default where this process stands,
        which need not be where a worker does.
    """

    files: Sequence[str]
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    batch_size: int = 1_000
    max_row_bytes: int = MAX_ROW_BYTES
    folder: str = dataclasses.field(default_factory=os.getcwd)

    def __post_init__(self) -> None:
        """Check the renamings before anything runs."""
        super().__init__()
        checked_fields(self.fields)

    def expand(self, pbegin: beam.pvalue.PBegin) -> Collections:
        """Group the files, spread the groups over the workers, read them."""
        groups = file_groups(
            file_sizes(self.files), group_bytes=BATCH_BYTES, group_files=self.batch_size
        )
        outputs = (
            pbegin
            | "List"
            >> beam.Create([[os.fsencode(file) for file in group] for group in groups])
            | "Read" >> beam.ParDo(self._read).with_outputs("raw", "rejects", "rows_read")
        )
        return {name: outputs[name] for name in ("raw", "rejects", "rows_read")}

    def _read(self, files: list[bytes]) -> Iterator[Tagged]:
        found = read_files(
            map(os.fsdecode, files),
            self.fields,
            batch_size=self.batch_size,
            max_row_bytes=self.max_row_bytes,
            folder=self.folder,
        )
        for name, element in found:
            yield beam.pvalue.TaggedOutput(name, element)
