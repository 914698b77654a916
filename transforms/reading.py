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
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystem import BeamIOError, FileMetadata
from apache_beam.io.filesystems import FileSystems
from google.api_core.exceptions import ClientError

from schemas.article import RAW, REJECT
from schemas.batch import Collections
from transforms.decoding import file_chunks, utf8_chunks
from transforms.formats import (
    FIELDS,
    Reject,
    Row,
    json_line_rows,
    json_rows,
    parquet_rows,
    raw_values,
    whole_file_row,
)

FORMATS = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "text",
    ".html": "html",
    ".htm": "html",
}
CODECS = {".gz": "gzip", ".zst": "zstd"}

MAX_ROW_BYTES = 16 << 20
# A batch closes early when its texts reach this, so that long articles make short batches.
BATCH_BYTES = 32 << 20

UNREADABLE = (OSError, BeamIOError, pa.ArrowException, ClientError)


def matched_files(patterns: Iterable[str]) -> list[str]:
    """Find the input files: sorted, distinct, relative where the pattern is relative.

    Args:
      patterns: files, globs ("*" within a folder, "**" across folders) or folders, local
        or of any file system Beam knows ("gs://bucket/day=*/"). Of a folder every file
        of a known format is taken, at any depth. A glob skips names that begin with a dot.

    Raises:
      ValueError: if a pattern matches nothing, or a file whose format is not known.
    """
    files: set[str] = set()
    for pattern in patterns:
        folder, found = _matched(pattern)
        if folder:
            found = [file for file in found if _suffixes(file)[0] in FORMATS]
        if not found:
            wanted = f"a file of a known format, {_known_formats()}" if folder else "a file"
            raise ValueError(f"input must match {wanted}, got {pattern}")
        for file in found:
            file_format(file)
        files.update(found)
    return sorted(files)


def _matched(pattern: str) -> tuple[bool, list[str]]:
    """Give whether the pattern is a folder, and the files it matches."""
    if not pattern:
        raise ValueError("input must name a file, a folder or a glob, got an empty text")
    is_glob = any(mark in pattern for mark in "*?[")
    within = "" if is_glob else pattern.rstrip("/") + "/**"
    try:
        children = FileSystems.match([within])[0].metadata_list if within else []
        if children or os.path.isdir(pattern):
            return True, _visible(children, pattern)
        # A name may hold the marks of a glob.
        if FileSystems.exists(pattern):
            return False, [_tidied(pattern)]
        return False, _visible(FileSystems.match([pattern])[0].metadata_list, pattern)
    except BeamIOError as error:
        cause = next(iter((error.exception_details or {}).values()), error)
        raise ValueError(f"input must be listed, got {pattern}: {cause}") from error


def _visible(found: Iterable[FileMetadata], pattern: str) -> list[str]:
    """Leave out what lies in a name with a leading dot that the pattern does not name."""
    named = set(pattern.split("/"))
    return [
        _tidied(metadata.path)
        for metadata in found
        if not any(part.startswith(".") for part in set(metadata.path.split("/")) - named)
    ]


def _tidied(path: str) -> str:
    # Two spellings of one local path are one file. "gs://" must keep both its slashes.
    if "://" in path:
        return path
    path = re.sub("/+", "/", path)
    return re.sub(r"(?:^|(?<=/))\./", "", path)


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _suffixes(path: str) -> tuple[str, str]:
    """Give the suffix that names the format and the one that names the compression."""
    name, compression = _base_name(path).lower(), ""
    stem, dot, last = name.rpartition(".")
    if dot + last in CODECS:
        name, compression = stem, dot + last
    _, dot, last = name.rpartition(".")
    return dot + last if dot else "", compression


def _known_formats() -> str:
    return f"{', '.join(FORMATS)} (but for .parquet also with {' or '.join(CODECS)})"


def file_format(path: str) -> tuple[str, str | None]:
    """Give a file's format (a value of FORMATS) and its compression (of CODECS, or None).

    >>> file_format("news/2025-05-16.jsonl.gz")
    ('lines', 'gzip')

    Raises:
      ValueError: if the name's extension is not a known one.
    """
    suffix, compression = _suffixes(path)
    if suffix not in FORMATS or (suffix == ".parquet" and compression):
        raise ValueError(f"input must be one of {_known_formats()}, got {path}")
    return FORMATS[suffix], CODECS.get(compression)


def checked_fields(fields: Mapping[str, str]) -> Mapping[str, str]:
    """Give the renamings back if every one is of a field that articles have.

    Args:
      fields: our name of a field -> its name in the input.

    Raises:
      ValueError: if an article has no such field.
    """
    for ours, theirs in fields.items():
        if ours not in FIELDS:
            raise ValueError(
                f"field must be one of {', '.join(FIELDS)}, got {ours} in {ours}={theirs}"
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
    except EOFError as error:
        detail = f"the compressed file breaks off here: {error}"
        yield Reject(position + 1, "truncated", detail)
    except UNREADABLE as error:
        detail = f"{type(error).__name__}: {error}"[:160]
        yield Reject(position + 1, "unreadable_file", detail)


def _rows(
    path: str, fields: Mapping[str, str], batch_size: int, max_row_bytes: int
) -> Iterator[Row | Reject]:
    kind, codec = file_format(path)
    if kind == "parquet":
        yield from parquet_rows(path, fields, batch_size)
    elif kind in ("text", "html"):
        yield whole_file_row(file_chunks(path, codec), kind, max_row_bytes)
    else:
        repaired, chunks = utf8_chunks(file_chunks(path, codec))
        rows = json_rows if kind == "json" else json_line_rows
        yield from rows(chunks, repaired, max_row_bytes)


def read_files(
    paths: Iterable[str], fields: Mapping[str, str], *, batch_size: int, max_row_bytes: int
) -> Iterator[tuple[str, pa.RecordBatch | int]]:
    """Read files into batches that files share.

    Args:
      paths: of known formats.
      fields: our name of a field -> its name in the input.
      batch_size: rows of a batch; fewer where the texts are long.
      max_row_bytes: a longer row, or file of one article, is rejected.

    Yields:
      ("raw", batch of RAW), ("rejects", batch of REJECT) and at the end once
      ("rows_read", number of rows seen, rejected ones included).
    """
    raw: list[dict[str, object]] = []
    rejects: list[dict[str, object]] = []
    rows_read = size = 0
    for path in paths:
        # A name on disk need not be text.
        file = path.encode(errors="backslashreplace").decode()
        rows = read_rows(path, fields, batch_size=batch_size, max_row_bytes=max_row_bytes)
        for row in rows:
            rows_read += 1
            values = raw_values(row, fields, max_row_bytes) if isinstance(row, Row) else row
            if isinstance(values, Reject):
                rejects.append({"file": file, **values._asdict()})
            else:
                texts, repaired = values
                place = {"file": file, "position": row.position, "repaired": repaired}
                raw.append({**place, **texts})
                size += sum(len(text) for text in texts.values() if text)
            if len(raw) >= batch_size or size >= BATCH_BYTES:
                yield "raw", pa.RecordBatch.from_pylist(raw, schema=RAW)
                raw, size = [], 0
            if len(rejects) >= batch_size:
                yield "rejects", pa.RecordBatch.from_pylist(rejects, schema=REJECT)
                rejects = []
    if raw:
        yield "raw", pa.RecordBatch.from_pylist(raw, schema=RAW)
    if rejects:
        yield "rejects", pa.RecordBatch.from_pylist(rejects, schema=REJECT)
    yield "rows_read", rows_read


def file_groups(
    sizes: Mapping[str, int], *, group_bytes: int, group_files: int
) -> list[list[str]]:
    """Put files that are next to each other together until they are worth a batch.

    >>> file_groups({"a": 3, "b": 4, "c": 9, "d": 1}, group_bytes=8, group_files=9)
    [['a', 'b'], ['c'], ['d']]
    """
    groups: list[list[str]] = []
    size = 0
    for file in sorted(sizes):
        size += sizes[file]
        if not groups or size > group_bytes or len(groups[-1]) >= group_files:
            groups.append([])
            size = sizes[file]
        groups[-1].append(file)
    return groups


def file_sizes(files: Iterable[str]) -> dict[str, int]:
    """Look up the sizes of files in bytes, 0 where unknown.

    A bucket is asked once per folder: asking once per file takes minutes for thousands.
    """
    sizes = dict.fromkeys(files, 0)
    patterns = {f"{file.rpartition('/')[0]}/*" if "://" in file else file for file in sizes}
    for result in FileSystems.match(sorted(patterns)):
        for metadata in result.metadata_list:
            if metadata.path in sizes:
                sizes[metadata.path] = metadata.size_in_bytes
    return sizes


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
    """

    files: Sequence[str]
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    batch_size: int = 1_000
    max_row_bytes: int = MAX_ROW_BYTES

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
            | "List" >> beam.Create(groups)
            | "Read" >> beam.ParDo(self._read).with_outputs("raw", "rejects", "rows_read")
        )
        return {name: outputs[name] for name in ("raw", "rejects", "rows_read")}

    def _read(self, files: list[str]) -> Iterator[Tagged]:
        found = read_files(
            files,
            self.fields,
            batch_size=self.batch_size,
            max_row_bytes=self.max_row_bytes,
        )
        for name, element in found:
            yield beam.pvalue.TaggedOutput(name, element)
