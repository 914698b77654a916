"""Carrying over: what earlier runs wrote and this one does not change.

A file is never written to again. A file that holds a story that changes is written anew
without it, and the story stands in a file of this run; all other files stay as they are
and are named by the new manifest, too. Files too small to be worth opening are joined once
there are many of them.

`index/` is the largest table, and says little of stories: a row of it leaves only if it
changes itself, as that of an article which stands for its copies no more. From it go
besides the fingerprints of articles that are too old to meet anything new.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import Collections, column, concatenate
from transforms.continuing import UNCHANGED
from transforms.membership import look_up
from transforms.parquet import Part, write_part
from transforms.past import LEAST_ARTICLES, as_written_now, id_keys, read_part
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
# Tables of which rows are made of what they were.
_WRITTEN_AGAIN = ("articles", "index")


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
      indexed: those of them whose row in `index/` is another one now, ascending.
      stories: keys of the stories they were in, ascending.
      oldest: seconds since 1970; fingerprints of articles published before go.
    """

    articles: npt.NDArray[np.uint64]
    indexed: npt.NDArray[np.uint64]
    stories: npt.NDArray[np.uint64]
    oldest: int


def leaving(
    ledger: pa.RecordBatch,
    membership: pa.RecordBatch,
    changed: pa.RecordBatch,
    late: Iterable[pa.RecordBatch] = (),
    *,
    index_days: float,
    least_articles: int = LEAST_ARTICLES,
) -> Leaving:
    """Find what leaves the files of earlier runs.

    Args:
      ledger: LEDGER rows, ascending.
      membership: MEMBERSHIP rows of all articles, ascending.
      changed: CHANGED rows.
      late: VECTOR rows of articles that had no vector before.
      index_days: days before the newest article of earlier runs that fingerprints are kept.
      least_articles: articles whose fingerprints are kept however old they are.
    """
    keys = column(ledger, "article_key")
    now = look_up(membership, "story_key", keys)
    moving = np.isin(now, column(changed, "story_key"))
    otherwise = look_up(membership, "representative_key", keys) != UNCHANGED
    for name in ("group_key", "story_key"):
        otherwise |= look_up(membership, name, keys) != column(ledger, name)
    for vectors in late:
        otherwise |= np.isin(keys, column(vectors, "article_key"))
    published = ledger.column("published").drop_null().to_numpy()
    oldest = np.iinfo(np.int64).min
    if len(published) > least_articles:
        # So many are left from there on, at least.
        enough = int(np.partition(published, -least_articles)[-least_articles])
        oldest = min(enough, int(published.max() - index_days * _SECONDS_A_DAY))
    stories = np.unique(column(ledger, "story_key")[moving])
    return Leaving(keys[moving], keys[moving & otherwise], stories, oldest)


class Leavers(NamedTuple):
    """The rows of a table that are of articles which this run writes again.

    Attributes:
      table: the table.
      path: of a file with these rows, in the staging folder.
    """

    table: str
    path: str


def staying(
    table: str, path: str, gone: Leaving
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Say which rows of a file stay, and which are of what this run writes again.

    Returns:
      stays: shape (n,).
      again: shape (n,). Of `index` such a row may stay, and one that does neither is too
        old to meet anything new.
    """
    if table == "lines":
        days = (
            read_part(path, ["published_day"])
            .column("published_day")
            .fill_null(np.iinfo(np.int32).max)
        )
        young = np.asarray(days.to_numpy() >= gone.oldest // _SECONDS_A_DAY)
        return young, np.zeros(len(young), np.bool_)
    owner = _OWNERS[table]
    names = [owner, "published"] if table == "index" else [owner]
    rows = read_part(path, names)
    own = id_keys(rows.column(owner))
    again = np.isin(own, gone.stories if table == "stories" else gone.articles)
    if table != "index":
        return ~again, again
    published = rows.column("published").fill_null(np.iinfo(np.int64).max)
    young = published.to_numpy() >= gone.oldest
    return (young | again) & ~np.isin(own, gone.indexed), again


def runs_of(chosen: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Give begin and length of each run of what is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
    for begin, end in edges.reshape(-1, 2).tolist():
        yield begin, end - begin


def carried(
    table: str, schema: pa.Schema, files: Sequence[Stored], gone: Leaving, *, staging: str
) -> Iterator[Part | Leavers]:
    """Give the files of a table that earlier runs wrote, as they are or written anew.

    The rows of `articles` and `index` that are of articles which are written again go to
    a file of their own: whoever writes them need not read the whole tables for them.

    Args:
      table: its name.
      schema: of its rows.
      files: its files in force.
      gone: what leaves them.
      staging: folder of this attempt.
    """
    many_small = sum(file.rows < SMALL_ROWS for file in files) >= MANY_SMALL
    waiting: list[pa.RecordBatch] = []
    left: list[pa.RecordBatch] = []
    number = FIRST_NUMBER
    for file in files:
        stays, again = np.ones(file.rows, np.bool_), np.zeros(file.rows, np.bool_)
        if table in (*_OWNERS, "lines"):
            stays, again = staying(table, file.path, gone)
        kept = stays.all() and not (many_small and file.rows < SMALL_ROWS)
        if kept:
            yield Part(table, "", file.name, file.rows, 0, file.statistics)
        written_again = table in _WRITTEN_AGAIN and again.any()
        if kept and not written_again:
            continue
        rows = read_part(file.path)
        if written_again:
            left.append(rows.filter(pa.array(again)))
        if kept:
            continue
        # Few rows leave, and the others are copied once, when all are together.
        waiting.extend(rows.slice(*run) for run in runs_of(stays))
        if sum(batch.num_rows for batch in waiting) >= ROWS_PER_FILE:
            yield _written(table, number, waiting, schema, staging)
            number, waiting = number + 1, []
    if any(batch.num_rows for batch in waiting):
        yield _written(table, number, waiting, schema, staging)
    if left:
        yield Leavers(table, _written(table, number + 1, left, schema, staging).staged)


def _written(
    table: str,
    number: int,
    batches: Sequence[pa.RecordBatch],
    schema: pa.Schema,
    staging: str,
) -> Part:
    rows = concatenate([as_written_now(batch, schema) for batch in batches], schema)
    return write_part(
        table,
        number,
        [rows],
        schema,
        staging=staging,
        added=0,
        statistics=statistics_of(table, rows),
    )


def without_carried(part: Part, gone: Leaving, staging: str) -> Part:
    """Take out of a file of `index` of this run what stays in one of an earlier run.

    Args:
      part: a file of any table.
      gone: what leaves the files of earlier runs.
      staging: folder of this attempt.
    """
    if part.table != "index":
        return part
    rows = read_part(part.staged)
    keys = id_keys(rows.column("article_id"))
    carried = np.isin(keys, np.setdiff1d(gone.articles, gone.indexed))
    if not carried.any():
        return part
    own = rows.filter(pa.array(~carried))
    statistics = statistics_of("index", own)
    written = write_part(
        "index", 0, [own], own.schema, staging=staging, statistics=statistics
    )
    return written._replace(name=part.name)


@dataclasses.dataclass(eq=False)
class CarryOver(beam.PTransform):
    """Carry over what earlier runs wrote.

    Applied to a dict of single elements: `ledger`, `membership` and `changed`, and perhaps
    `late`, VECTOR batches. Gives a dict: `parts`; as `articles` and `index` the paths of
    files with the rows of these tables that are of articles which are written again; and
    `leaving`, one Leaving.

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

    def expand(self, given: Collections) -> Collections:
        """Take the tables one by one."""
        told = {
            name: beam.pvalue.AsSingleton(given[name]) for name in ("membership", "changed")
        }
        if "late" in given:
            told["late"] = beam.pvalue.AsIter(given["late"])
        gone = given["ledger"] | "Find what leaves" >> beam.Map(
            leaving, **told, index_days=self.index_days
        )
        outputs = (
            given["membership"].pipeline
            | "Tables" >> beam.Create(sorted(self.files), reshuffle=False)
            | "Carry over"
            >> beam.FlatMap(self._carried, beam.pvalue.AsSingleton(gone)).with_outputs(
                "parts", *_WRITTEN_AGAIN
            )
        )
        found = {name: outputs[name] for name in ("parts", *_WRITTEN_AGAIN)}
        return {"leaving": gone, **found}

    def _carried(self, table: str, gone: Leaving) -> Iterator[Any]:
        schema = self.schemas[table]
        for found in carried(table, schema, self.files[table], gone, staging=self.staging):
            if isinstance(found, Leavers):
                yield beam.pvalue.TaggedOutput(found.table, found.path)
            else:
                yield beam.pvalue.TaggedOutput("parts", found)
