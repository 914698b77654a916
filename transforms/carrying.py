"""Carrying over: what earlier runs wrote and this one does not change.

A file is never written to again. A file that holds a story that changes is written anew
without it, and the story stands in a file of this run; all other files stay as they are
and are named by the new manifest, too. Files too small to be worth opening are joined once
there are many of them. From `index/` go the fingerprints of articles that are too old to
meet anything new.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import Collections, column, concatenate
from transforms.membership import look_up
from transforms.parquet import Part, write_part
from transforms.past import id_keys, read_part
from transforms.tables import statistics_of

# Fewer rows make a small file, and so many small files of a table are joined.
SMALL_ROWS, MANY_SMALL = 5_000, 16
# Rows of a file that is written anew, about.
ROWS_PER_FILE = 20_000
# Numbers of the files that are written anew: those of a run's own begin at 0.
FIRST_NUMBER = 50_000

_SECONDS_A_DAY = 86_400
# The column by which a row belongs to an article, or to a story; rows of other tables stay.
_OWNERS = {
    "articles": "article_id",
    "index": "article_id",
    "matches": "article_id",
    "stories": "story_id",
}


class Stored(NamedTuple):
    """A file in force: where it lies, its name in the manifest, and its entry there."""

    path: str
    name: str
    rows: int
    statistics: dict[str, int]


class Leaving(NamedTuple):
    """What leaves the files of earlier runs.

    Attributes:
      articles: keys of articles that this run writes again, ascending.
      stories: keys of the stories they were in, ascending.
      oldest: seconds since 1970; fingerprints of articles published before go.
    """

    articles: npt.NDArray[np.uint64]
    stories: npt.NDArray[np.uint64]
    oldest: int


def leaving(
    ledger: pa.RecordBatch,
    membership: pa.RecordBatch,
    changed: pa.RecordBatch,
    *,
    index_days: float,
) -> Leaving:
    """Find what leaves the files of earlier runs.

    Args:
      ledger: LEDGER rows, ascending.
      membership: MEMBERSHIP rows of all articles, ascending.
      changed: CHANGED rows.
      index_days: days before the newest article of earlier runs that fingerprints are kept.
    """
    keys = column(ledger, "article_key")
    now = look_up(membership, "story_key", keys)
    moving = np.isin(now, column(changed, "story_key"))
    newest = pc.max(ledger.column("published")).as_py()
    oldest = np.iinfo(np.int64).min
    if newest is not None:
        oldest = int(newest - index_days * _SECONDS_A_DAY)
    return Leaving(keys[moving], np.unique(column(ledger, "story_key")[moving]), oldest)


def staying(table: str, path: str, gone: Leaving) -> npt.NDArray[np.bool_]:
    """Say which rows of a file stay: shape (n,)."""
    owner = _OWNERS[table]
    names = [owner, "published"] if table == "index" else [owner]
    rows = read_part(path, names)
    keys = gone.stories if table == "stories" else gone.articles
    stays = ~np.isin(id_keys(rows.column(owner)), keys)
    if table == "index":
        published = rows.column("published").fill_null(np.iinfo(np.int64).max)
        stays &= published.to_numpy() >= gone.oldest
    return stays


def carried(
    table: str, schema: pa.Schema, files: Sequence[Stored], gone: Leaving, *, staging: str
) -> Iterator[Part]:
    """Give the files of a table that earlier runs wrote, as they are or written anew.

    Args:
      table: its name.
      schema: of its rows.
      files: its files in force.
      gone: what leaves them.
      staging: folder of this attempt.
    """
    many_small = sum(file.rows < SMALL_ROWS for file in files) >= MANY_SMALL
    waiting: list[pa.RecordBatch] = []
    number = FIRST_NUMBER
    for file in files:
        stays = staying(table, file.path, gone) if table in _OWNERS else None
        if (stays is None or stays.all()) and not (many_small and file.rows < SMALL_ROWS):
            yield Part(table, "", file.name, file.rows, 0, file.statistics)
            continue
        rows = read_part(file.path)
        waiting.append(rows if stays is None else rows.filter(pa.array(stays)))
        if sum(batch.num_rows for batch in waiting) >= ROWS_PER_FILE:
            yield _written(table, number, waiting, schema, staging)
            number, waiting = number + 1, []
    if any(batch.num_rows for batch in waiting):
        yield _written(table, number, waiting, schema, staging)


def _written(
    table: str,
    number: int,
    batches: Sequence[pa.RecordBatch],
    schema: pa.Schema,
    staging: str,
) -> Part:
    # Files of an earlier version of a schema differ in its metadata alone.
    rows = concatenate(
        [batch.select(schema.names).cast(schema) for batch in batches], schema
    )
    return write_part(
        table,
        number,
        [rows],
        schema,
        staging=staging,
        added=0,
        statistics=statistics_of(table, rows),
    )


@dataclasses.dataclass(eq=False)
class CarryOver(beam.PTransform):
    """Carry over what earlier runs wrote; give the parts.

    Applied to a dict of single elements: `ledger`, `membership` and `changed`.

    Attributes:
      files: table -> its files in force.
      schemas: table -> schema of its rows.
      staging: folder of this attempt.
      index_days: as of `leaving`.
    """

    files: Mapping[str, Sequence[Stored]]
    schemas: Mapping[str, pa.Schema]
    staging: str
    index_days: float

    def expand(self, given: Collections) -> beam.PCollection[Part]:
        """Take the tables one by one."""
        return (
            given["membership"].pipeline
            | "Tables" >> beam.Create(sorted(self.files), reshuffle=False)
            | "Carry over"
            >> beam.FlatMap(
                self._carried,
                **{
                    name: beam.pvalue.AsSingleton(given[name])
                    for name in ("ledger", "membership", "changed")
                },
            ).with_output_types(Part)
        )

    def _carried(self, table: str, **told: Any) -> Iterator[Part]:
        gone = leaving(**told, index_days=self.index_days)
        schema = self.schemas[table]
        return carried(table, schema, self.files[table], gone, staging=self.staging)
