"""The past: what the output folder holds already, as far as new articles can meet it.

A run that adds to an output folder compares its articles with those of earlier runs, and
asks nothing again that was answered then. Of every earlier article it knows the copy group
and the story (the *ledger*, a few bytes each). Of those published near in time to a new
one it reads the fingerprint from `index/`, and which pairs were scored from `matches/`.
Texts are read only of the few that may be copies of a new article, are embedded late, or
belong to a story that changes.

An article is named by the hash of its id here as everywhere; the hashes are not stored,
they are made again of the ids.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.article import REJECT
from schemas.batch import Collections, column, concatenate, with_column
from schemas.fingerprint import FINGERPRINT
from schemas.match import COPY_EVIDENCE, STORY_EVIDENCE
from schemas.past import KEYS, LEDGER
from schemas.story import ARTICLES, INDEX
from transforms import storage
from transforms.normalisation import hashes, utf8

_MICROSECONDS = 1_000_000
_SECONDS_A_DAY = 86_400
# Articles that are looked back to however old they are: fewer do not tell which reports
# are alike for what they tell, and which for their topic.
LEAST_ARTICLES = 10_000
# The day of an article without a date, before all days.
_UNDATED = -(1 << 20)

# A fingerprint of the past, and what became of its article.
REMEMBERED = pa.schema(
    [
        *FINGERPRINT,
        INDEX.field("vector"),
        INDEX.field("is_representative"),
        # Near enough in time to a new article to be of one story with it.
        pa.field("is_recent", pa.bool_(), nullable=False),
    ],
    metadata={"schema": "newsdedup.remembered", "version": "1"},
)
# What of it copies are found by.
COMPARED_BY_KEYS = (
    "article_key",
    "published",
    "text_key",
    "signature",
    "passage_keys",
)


def id_keys(ids: pa.Array) -> npt.NDArray[np.uint64]:
    """Give the key of each id: shape (n,). Ids repeat, and each is hashed once."""
    if not len(ids):
        return np.zeros(0, np.uint64)
    encoded = ids.dictionary_encode()
    keys = hashes(*utf8(encoded.dictionary))
    return keys[encoded.indices.to_numpy()]


def read_part(
    path: str, columns: Sequence[str] | None = None, filters: Any = None
) -> pa.RecordBatch:
    """Read a Parquet file of a table, or some columns and rows, as one batch.

    Args:
      path: of the file.
      columns: names; None: all.
      filters: which rows; None: all.

    What is read goes through compiled loops, which trust it: texts are checked to be
    UTF-8, and lists that belong together to be of one length.

    Raises:
      ValueError: if the file is gone or broken, or holds what no run has written.
    """
    try:
        with storage.opened(path) as stream:
            names = None if columns is None else list(columns)
            if filters is None:
                table = pq.ParquetFile(stream).read(columns=names)
            else:
                table = pq.read_table(stream, columns=names, filters=filters)
        table.validate(full=True)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} must be a file of an earlier run, got {error}") from error
    rows = concatenate(table.to_batches(), table.schema)
    for first, other in _LISTS_ALIKE:
        if {first, other} <= set(rows.schema.names) and not _are_as_long(
            rows, first, other
        ):
            raise ValueError(
                f"{path} must be a file of an earlier run, got lists of other lengths in "
                f"{first} and {other}"
            )
    return rows


# Of each article these lists are equally long.
_LISTS_ALIKE = (
    ("terms", "term_counts"),
    ("lead_terms", "lead_term_counts"),
    ("names", "name_counts"),
    ("lead_names", "lead_name_counts"),
    ("line_keys", "line_words"),
    ("sketch", "sketch_lines"),
)


def _are_as_long(rows: pa.RecordBatch, first: str, other: str) -> bool:
    lengths = (pc.list_value_length(rows.column(name)) for name in (first, other))
    return bool(next(lengths).equals(next(lengths)))


def as_written_now(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give rows of an earlier version of a table, with nulls for what it did not have."""
    for field in schema:
        if field.name not in rows.schema.names:
            rows = with_column(rows, field.name, pa.nulls(rows.num_rows, field.type))
    return rows.select(schema.names).cast(schema)


def ledger_of(path: str) -> pa.RecordBatch:
    """Read the LEDGER rows of a file of `articles/`, in its order."""
    columns = ("article_id", "published_at", "word_count", "duplicate_group_id", "story_id")
    rows = read_part(path, columns)
    micros = rows.column("published_at").cast(pa.int64())
    return pa.RecordBatch.from_arrays(
        [
            pa.array(id_keys(rows.column("article_id"))),
            # Times are whole seconds, those before 1970 too.
            pc.floor(pc.divide(micros.cast(pa.float64()), _MICROSECONDS)).cast(pa.int64()),
            rows.column("word_count"),
            pa.array(id_keys(rows.column("duplicate_group_id"))),
            pa.array(id_keys(rows.column("story_id"))),
        ],
        schema=LEDGER,
    )


def join_ledger(parts: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """Join LEDGER rows, ascending by article_key."""
    return concatenate(parts, LEDGER).sort_by("article_key")


def days_of(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Give the distinct days of `published_at`, ascending; _UNDATED for none."""
    micros = batch.column("published_at").cast(pa.int64())
    days = np.floor_divide(
        micros.fill_null(_UNDATED * _SECONDS_A_DAY * _MICROSECONDS).to_numpy(),
        _SECONDS_A_DAY * _MICROSECONDS,
    )
    return np.unique(days)


def join_days(parts: Iterable[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Give the distinct days of several arrays of them."""
    arrays = list(parts)
    return np.unique(np.concatenate(arrays)) if arrays else np.zeros(0, np.int64)


def days_apart(published: pa.Array, days: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Give how many days each time lies from the nearest of `days`: shape (n,).

    Args:
      published: seconds since 1970; null is 0 days from anything.
      days: ascending. A day lasts from its number to the next.
    """
    undated = ~published.is_valid().to_numpy(zero_copy_only=False)
    if not len(days):
        return np.where(undated, 0.0, np.inf)
    own = published.fill_null(0).to_numpy() / _SECONDS_A_DAY
    places = np.searchsorted(days, own, side="right")
    since = np.where(places > 0, own - days[np.maximum(places - 1, 0)] - 1, np.inf)
    until = np.where(
        places < len(days), days[np.minimum(places, len(days) - 1)] - own, np.inf
    )
    return np.where(undated, 0.0, np.minimum(np.maximum(since, 0), until))


class Arrivals(NamedTuple):
    """When new articles were published, and how far from that the past is read.

    Attributes:
      days: shape (d,), int64. Days since 1970, ascending.
      copies_reach: days within which two articles can be copies.
      stories_reach: days within which an article can join a story.
    """

    days: npt.NDArray[np.int64]
    copies_reach: float
    stories_reach: float


def arrivals(
    days: npt.NDArray[np.int64],
    ledger: pa.RecordBatch,
    *,
    copies_reach: float,
    lookback: float,
    least_articles: int,
) -> Arrivals:
    """Find how far from new articles the past is read.

    An article without a date is taken to be as new as the newest article known. Where few
    articles come, a week holds too few to tell which of them are alike for what they tell
    and which for their topic; then more days are looked back.

    Args:
      days: as of `days_of`, of all new articles.
      ledger: LEDGER rows.
      copies_reach: days within which two articles can be copies.
      lookback: days that are looked back, at least.
      least_articles: articles that are looked back to, if so many came before.
    """
    if len(days) and days[0] == _UNDATED:
        newest = pc.max(ledger.column("published")).as_py()
        days = days[1:]
        if newest is not None:
            days = np.union1d(days, [newest // _SECONDS_A_DAY])
    apart = days_apart(ledger.column("published"), days)
    apart = np.sort(apart[np.isfinite(apart)])
    reach = lookback
    if len(apart):
        reach = max(lookback, float(apart[min(least_articles, len(apart)) - 1]))
    return Arrivals(days, copies_reach, reach)


def remembered_of(
    path: str, arrived: Arrivals, names: Sequence[str] = REMEMBERED.names
) -> pa.RecordBatch:
    """Read rows of a file of `index/` that new articles can meet.

    Args:
      path: of the file.
      arrived: see there.
      names: columns of REMEMBERED, `published` among them.
    """
    schema = pa.schema([REMEMBERED.field(name) for name in names])
    stored = [name for name in names if name in INDEX.names]
    published = read_part(path, ["published"]).column("published")
    apart = days_apart(published, arrived.days)
    near = apart <= max(arrived.copies_reach, arrived.stories_reach)
    if not near.any():
        return pa.RecordBatch.from_pylist([], schema=schema)
    rows = read_part(path, stored)
    recent = apart <= arrived.stories_reach
    rows = with_column(rows, "is_recent", pa.array(recent))
    if not near.all():
        rows = rows.filter(pa.array(near))
    return rows.select(list(names)).cast(schema)


def copy_edges_of(path: str) -> pa.RecordBatch:
    """Read the COPY_EVIDENCE rows of a file of `matches/`."""
    names = [name for name in COPY_EVIDENCE.names if not name.endswith("_key")]
    return _edges(path, "copy", names, COPY_EVIDENCE)


def story_edges_of(path: str) -> pa.RecordBatch:
    """Read the STORY_EVIDENCE rows of a file of `matches/`."""
    names = [name for name in STORY_EVIDENCE.names if not name.endswith("_key")]
    return _edges(path, "story", names, STORY_EVIDENCE)


def _edges(
    path: str, question: str, names: Sequence[str], schema: pa.Schema
) -> pa.RecordBatch:
    rows = read_part(path, names, pc.field("question") == question)
    given = dict(zip(rows.schema.names, rows.columns, strict=True))
    given["article_key"] = pa.array(id_keys(rows.column("article_id")))
    given["matched_key"] = pa.array(id_keys(rows.column("matched_article_id")))
    return pa.RecordBatch.from_arrays(
        [given[name].cast(schema.field(name).type) for name in schema.names], schema=schema
    )


def articles_of(path: str, keys: npt.NDArray[np.uint64]) -> pa.RecordBatch:
    """Read the rows of a file of `articles/` with these keys, and `article_key`.

    Row groups without any of them are not read.

    Args:
      path: of the file.
      keys: ascending.
    """
    return _rows_with(path, keys, ARTICLES)


def index_of(path: str, keys: npt.NDArray[np.uint64]) -> pa.RecordBatch:
    """Read the rows of a file of `index/` with these keys, ascending."""
    return _rows_with(path, keys, INDEX)


def _rows_with(
    path: str, keys: npt.NDArray[np.uint64], schema: pa.Schema
) -> pa.RecordBatch:
    ids = read_part(path, ["article_id"]).column("article_id")
    own = id_keys(ids)
    wanted = np.isin(own, keys)
    found = []
    with storage.opened(path) as stream:
        file = pq.ParquetFile(stream)
        begin = 0
        for group in range(file.num_row_groups):
            end = begin + file.metadata.row_group(group).num_rows
            here = wanted[begin:end]
            if here.any():
                rows = file.read_row_group(group, columns=schema.names)
                rows = rows.filter(pa.array(here))
                batch = as_written_now(concatenate(rows.to_batches(), rows.schema), schema)
                found.append(with_column(batch, "article_key", own[begin:end][here]))
            begin = end
    if not found:
        empty = pa.RecordBatch.from_pylist([], schema=schema)
        return with_column(empty, "article_key", np.zeros(0, np.uint64))
    return concatenate(found, found[0].schema)


@dataclasses.dataclass(eq=False)
class ReadPast(beam.PTransform):
    """Read what new articles can meet.

    Takes batches of new articles with `published_at`. Gives a dict. Single elements are
    `ledger` (LEDGER), `representatives` (KEYS: who stands for a copy group), `copy_edges`
    (COPY_EVIDENCE) and `story_edges` (STORY_EVIDENCE), all pairs that earlier runs kept.
    `arrived` (Arrivals) says what is near; the other names are paths of files, by their
    use.

    Attributes:
      files: table -> paths of its files in force.
      copies_reach: days within which two articles can be copies.
      lookback: days that are looked back for stories, at least.
      least_articles: articles that are looked back to, if so many came before.
    """

    files: Mapping[str, Sequence[str]]
    copies_reach: float
    lookback: float
    least_articles: int = LEAST_ARTICLES

    def expand(self, articles: beam.PCollection[pa.RecordBatch]) -> Collections:
        """Read the ledger, then what lies near the days of the articles."""
        start = articles.pipeline

        def files(table: str, use: str) -> beam.PCollection[str]:
            # A collection of its own for every use: FnApiRunner holds back what follows a
            # Flatten until every consumer of what went into it is done.
            named = f"Files of {table} to {use}"
            paths = list(self.files.get(table, ()))
            return start | named >> beam.Create(paths, reshuffle=False)

        ledger = (
            files("articles", "list")
            | "Read ledger" >> beam.Map(ledger_of)
            | "Gather ledger" >> beam.combiners.ToList()
            | "Join ledger" >> beam.Map(join_ledger)
        )
        arrived = (
            articles
            | "Days" >> beam.Map(days_of)
            | "Add days" >> beam.CombineGlobally(join_days)
            | "Arrivals"
            >> beam.Map(
                arrivals,
                beam.pvalue.AsSingleton(ledger),
                copies_reach=self.copies_reach,
                lookback=self.lookback,
                least_articles=self.least_articles,
            )
        )
        standing = files("index", "know") | "Read who stands" >> beam.Map(
            _standing, beam.pvalue.AsSingleton(arrived)
        )
        gathered = {
            name: files("matches", name)
            | f"Read {name}" >> beam.Map(read)
            | f"Gather {name}" >> beam.combiners.ToList()
            | f"Join {name}" >> beam.Map(concatenate, schema)
            for name, read, schema in (
                ("copy_edges", copy_edges_of, COPY_EVIDENCE),
                ("story_edges", story_edges_of, STORY_EVIDENCE),
            )
        }
        return {
            "ledger": ledger,
            "arrived": arrived,
            "representatives": standing
            | "Gather standing" >> beam.combiners.ToList()
            | "Join standing" >> beam.Map(join_keys),
            **gathered,
            **{
                f"{table} to {use}": files(table, use)
                for table, use in (
                    ("articles", "compare"),
                    ("articles", "embed"),
                    ("index", "compare"),
                    ("index", "group"),
                    ("lines", "learn"),
                )
            },
        }


def _standing(path: str, arrived: Arrivals) -> pa.RecordBatch:
    names = ("article_key", "published", "is_representative")
    remembered = remembered_of(path, arrived, names)
    return remembered.filter(remembered.column("is_representative")).select(KEYS.names)


def join_keys(parts: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """Join KEYS rows, ascending by key, each once."""
    keys = np.unique(column(concatenate(parts, KEYS), "article_key"))
    return pa.RecordBatch.from_arrays([pa.array(keys)], schema=KEYS)


def is_known(ledger: pa.RecordBatch, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Say which articles an earlier run wrote.

    Args:
      ledger: LEDGER rows, ascending.
      keys: shape (n,).
    """
    known = column(ledger, "article_key")
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.asarray(known[places] == keys)


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["articles"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["rejects"], pa.RecordBatch]
)


@dataclasses.dataclass(eq=False)
class LeaveKnown(beam.PTransform):
    """Reject articles that an earlier run wrote: `articles` (ARTICLE), `rejects` (REJECT).

    Attributes:
      ledger: one LEDGER batch.
    """

    ledger: beam.PCollection[pa.RecordBatch]

    def expand(self, articles: beam.PCollection[pa.RecordBatch]) -> Collections:
        """Look every id up."""
        outputs = articles | "Look up" >> beam.FlatMap(
            _unknown, beam.pvalue.AsSingleton(self.ledger)
        ).with_outputs("articles", "rejects")
        return {"articles": outputs["articles"], "rejects": outputs["rejects"]}


def _unknown(articles: pa.RecordBatch, ledger: pa.RecordBatch) -> Iterator[Tagged]:
    known = is_known(ledger, column(articles, "article_key"))
    if not known.all():
        yield beam.pvalue.TaggedOutput("articles", articles.filter(pa.array(~known)))
    if known.any():
        rows = articles.filter(pa.array(known))
        rejects = pa.RecordBatch.from_arrays(
            [
                rows.column("file"),
                rows.column("position"),
                rows.column("article_id"),
                pa.repeat("repeated_id", rows.num_rows),
                pa.repeat("an earlier run wrote the article with this id", rows.num_rows),
            ],
            schema=REJECT,
        )
        yield beam.pvalue.TaggedOutput("rejects", rejects)
