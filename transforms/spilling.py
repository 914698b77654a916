"""Spilling: articles wait on disk while fingerprints decide what becomes of them.

A text is needed three times: to be fingerprinted, to be compared with a likely copy, and
to be written. Between these a runner would keep it, and a local one keeps it in memory,
two or three times over. So each batch is written to the staging folder as it comes, an
Arrow stream as plain as it is in memory, and what flows on is where it lies. Whoever
needs it reads back the columns that are needed.

A bundle that is tried twice leaves a file that nobody reads; it goes with the folder.
"""

import dataclasses
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import split_by
from transforms import storage


class Spilled(NamedTuple):
    """A batch on disk: which row of the input is its first, where it lies, its rows."""

    file: str
    position: int
    path: str
    rows: int


def spill(articles: pa.RecordBatch, folder: str) -> Spilled:
    """Write a batch to a folder, under a name of its own.

    Args:
      articles: n rows, at least one, with columns `file` and `position`.
      folder: staging folder of this attempt.
    """
    path = storage.join(folder, f"articles-{uuid.uuid4().hex}.arrow")
    with (
        storage.created(path) as stream,
        pa.ipc.new_stream(pa.PythonFile(stream, "w"), articles.schema) as writer,
    ):
        writer.write_batch(articles)
    files = articles.column("file")
    file = pc.min(files)
    first = pc.min(articles.column("position").filter(pc.equal(files, file)))
    return Spilled(file.as_py(), first.as_py(), path, articles.num_rows)


def read_back(spilled: Spilled, names: Sequence[str] | None = None) -> pa.RecordBatch:
    """Give a batch that was spilled, or the columns of these names."""
    with pa.ipc.open_stream(_content(spilled.path)) as reader:
        articles = reader.read_next_batch()
    return articles if names is None else articles.select(names)


def _content(path: str) -> pa.NativeFile | bytes:
    """Give the bytes of a file; of one on this machine, those that are looked at."""
    return storage.content_of(path) if storage.is_stored(path) else pa.memory_map(path)


class Slice(NamedTuple):
    """Rows of one shard in a file of several: where they begin, and how many bytes."""

    path: str
    start: int
    length: int


def spill_shards(
    articles: pa.RecordBatch, shards: npt.NDArray[np.integer], folder: str
) -> list[tuple[int, Slice]]:
    """Write a batch to a folder, the rows of each shard together.

    Args:
      articles: n rows.
      shards: shape (n,). The shard of each row.
      folder: staging folder of this attempt.

    Returns:
      Each shard and where its rows lie.
    """
    path = storage.join(folder, f"shards-{uuid.uuid4().hex}.arrow")
    slices, start = [], 0
    with storage.created(path) as file:
        for shard, rows in split_by(articles, shards):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, rows.schema) as writer:
                writer.write_batch(rows)
            content = sink.getvalue()
            file.write(content)
            slices.append((shard, Slice(path, start, content.size)))
            start += content.size
    return slices


def read_slice(part: Slice) -> pa.RecordBatch:
    """Give the rows of one shard that `spill_shards` wrote."""
    if storage.is_stored(part.path):
        content = pa.py_buffer(storage.content_of(part.path, part.start, part.length))
    else:
        content = pa.memory_map(part.path).read_buffer()[
            part.start : part.start + part.length
        ]
    with pa.ipc.open_stream(content) as reader:
        return reader.read_next_batch()


def parts(
    spilled: Iterable[Spilled], *, articles_per_part: int
) -> Iterator[tuple[int, list[Spilled]]]:
    """Number the parts that batches are written in, and give the batches of each.

    Batches follow each other as in the input, whatever the order in which they came.

    Args:
      spilled: all batches.
      articles_per_part: articles of a part, at most, unless one batch has more.
    """
    number, rows = 0, 0
    part: list[Spilled] = []
    for batch in sorted(spilled):
        if part and rows + batch.rows > articles_per_part:
            yield number, part
            number, rows, part = number + 1, 0, []
        part.append(batch)
        rows += batch.rows
    if part:
        yield number, part


@dataclasses.dataclass(eq=False)
class SpillArticles(beam.PTransform):
    """Write batches to a folder; give where they lie.

    Attributes:
      folder: staging folder of this attempt.
    """

    folder: str

    def expand(
        self, articles: beam.PCollection[pa.RecordBatch]
    ) -> beam.PCollection[Spilled]:
        """Apply to a collection of batches."""
        return articles | "Spill" >> beam.Map(spill, self.folder).with_output_types(Spilled)
