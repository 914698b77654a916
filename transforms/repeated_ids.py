"""Repeated ids: every article leaves with an id of its own, or is rejected.

An id that repeats with the same content is a copy that a crawler met twice: it is kept,
as `<id>#2`, `<id>#3`, the first number that no id of the input uses. An id that repeats
with other content names two articles, and nobody can tell which one is meant: the one
that was published first keeps it, without dates the one that most rows have, and the
others are rejected.

Which instance comes first does not depend on the order of the input: the published time
decides (none comes last), then how many rows with the id have the same content, then a
hash of the content, then one of all that tells instances apart, then the place in the
input. Instances equal up to the last have equal rows.

Only hashes are shuffled, 44 bytes an article, and only the instances that lose their id
are given back to the batches, which wait on disk and are written again only where one of
them is: memory is in proportion to them. Ids are compared by
64-bit hashes; that two of a million ids share one has a chance of 3 in 100 million.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from schemas.article import REJECT
from schemas.batch import Collections, column, concatenate, split_by
from transforms.normalisation import hashes, utf8
from transforms.spilling import SpillArticles, Spilled, read_back, spill

# Each costs an element a batch.
SHARDS = 8
NO_TIME = np.iinfo(np.int64).max
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
CHANGED = ("article_key", "article_id", "notes")
NUMBERED = re.compile(r"(.*)#([1-9]\d{0,8})", re.S)

# An article, packed. Ids that differ in their "#2" alone meet in one shard, where a free
# number is found.
INSTANCE = pa.schema(
    [
        # Hash of the id without its "#2".
        pa.field("base_key", pa.uint64(), nullable=False),
        # The 2 of "#2"; 0 for an id without a number.
        pa.field("number", pa.int32(), nullable=False),
        # Microseconds since 1970, UTC; NO_TIME for none.
        pa.field("published", pa.int64(), nullable=False),
        pa.field("content_key", pa.uint64(), nullable=False),
        # Of everything that is stored of the article.
        pa.field("row_key", pa.uint64(), nullable=False),
        # Of file and position: tells every instance from every other.
        pa.field("instance_key", pa.uint64(), nullable=False),
    ]
)
# An instance that does not keep its id, and what becomes of it.
SETTLEMENT = pa.schema(
    [
        pa.field("instance_key", pa.uint64(), nullable=False),
        # Of its new id; 0 if it is rejected.
        pa.field("number", pa.int32(), nullable=False),
        # Of the article that keeps the id.
        pa.field("kept_published", pa.int64(), nullable=False),
    ]
)

# What is stored of an article, but what it is called and where it was found.
_STORED = ("url", "source", "language", "title", "text")

# What instances are sorted by: the first of an id keeps it.
_ORDER = (
    "base_key",
    "number",
    "published",
    "rarity",
    "content_key",
    "row_key",
    "instance_key",
)


def id_parts(article_id: str) -> tuple[str, int]:
    """Split an id into what it is without a number, and its number or 0.

    >>> id_parts("a#2"), id_parts("a"), id_parts("a#02")
    (('a', 2), ('a', 0), ('a#02', 0))
    """
    match = NUMBERED.fullmatch(article_id)
    return (match[1], int(match[2])) if match else (article_id, 0)


def pack_instances(articles: pa.RecordBatch) -> pa.RecordBatch:
    """Reduce articles to rows of INSTANCE, in their order."""
    bases = column(articles, "article_key").copy()
    numbers = np.zeros(articles.num_rows, np.int32)
    ids = articles.column("article_id")
    numbered = pc.match_substring(ids, "#").to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(numbered):
        base, numbers[row] = id_parts(ids[row].as_py())
        bases[row] = _key(base)
    stored = [pc.fill_null(articles.column(name), "") for name in _STORED]
    rows = pc.binary_join_element_wise(*stored, "\0")
    extra = articles.column("extra")
    if extra.null_count < len(extra):
        # The hash of an article without any is what it was before there was any.
        more = pc.binary_join_element_wise(rows, extra, "\0")
        rows = pc.coalesce(more, rows)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(bases, pa.uint64()),
            pa.array(numbers),
            articles.column("published_at").cast(pa.int64()).fill_null(NO_TIME),
            articles.column("content_key"),
            pa.array(hashes(*utf8(rows))),
            pa.array(instance_keys(articles)),
        ],
        schema=INSTANCE,
    )


def _key(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())


def instance_keys(articles: pa.RecordBatch) -> npt.NDArray[np.uint64]:
    """Give a hash of each article's place in the input: shape (n,)."""
    positions = articles.column("position").cast(pa.string())
    places = pc.binary_join_element_wise(articles.column("file"), positions, "\0")
    return hashes(*utf8(places))


def settlements(instances: pa.RecordBatch) -> pa.RecordBatch:
    """Decide which instances lose their id.

    Args:
      instances: of INSTANCE, in any order; all of every base_key that occurs.

    Returns:
      Batch of SETTLEMENT, ascending by instance_key.
    """
    # Few ids repeat: the rows of all others are left out of what follows.
    bases = column(instances, "base_key")
    order = np.argsort(bases)
    same = bases[order][1:] == bases[order][:-1]
    met = np.zeros(len(bases), bool)
    met[order[1:][same]] = met[order[:-1][same]] = True
    instances = instances.filter(pa.array(met))
    fields = {name: column(instances, name) for name in INSTANCE.names}
    ranks = {"rarity": -_rows_of_content(fields), **fields}
    # The last key that lexsort is given is the first that it sorts by.
    order = np.lexsort([ranks[name] for name in reversed(_ORDER)])
    ordered = {name: values[order] for name, values in fields.items()}
    same_base = ordered["base_key"][1:] == ordered["base_key"][:-1]
    same_id = same_base & (ordered["number"][1:] == ordered["number"][:-1])
    starts = np.flatnonzero(np.r_[True, ~same_base])
    # The loop is over the base keys that hold an id that repeats.
    repeats = np.unique(np.searchsorted(starts, np.flatnonzero(same_id), "right") - 1)
    ends = np.r_[starts[1:], instances.num_rows]
    settled: list[dict[str, int]] = []
    for first, end in zip(starts[repeats], ends[repeats], strict=True):
        rows = {name: values[first:end].tolist() for name, values in ordered.items()}
        settled.extend(_settled(rows))
    settled.sort(key=lambda row: row["instance_key"])
    return pa.RecordBatch.from_pylist(settled, schema=SETTLEMENT)


def _rows_of_content(fields: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
    """Count, for each instance, those with its id and its content: shape (n,)."""
    names = ("base_key", "number", "content_key")
    order = np.lexsort([fields[name] for name in names])
    differs = np.zeros(order.size, bool)
    for name in names:
        ordered = fields[name][order]
        differs[1:] |= ordered[1:] != ordered[:-1]
    run = np.cumsum(differs)
    counts = np.empty(order.size, np.int64)
    counts[order] = np.bincount(run)[run] if order.size else 0
    return counts


def _settled(rows: dict[str, list[int]]) -> Iterator[dict[str, int]]:
    """Settle the instances of one base_key, which are sorted."""
    taken = set(rows["number"])
    free = 2
    kept = 0
    for row, number in enumerate(rows["number"]):
        if row == 0 or number != rows["number"][kept]:
            kept = row
            continue
        is_copy = rows["content_key"][row] == rows["content_key"][kept]
        while is_copy and free in taken:
            free += 1
        taken.add(free if is_copy else 0)
        yield {
            "instance_key": rows["instance_key"][row],
            "number": free if is_copy else 0,
            "kept_published": rows["published"][kept],
        }


def settle_ids(
    articles: pa.RecordBatch, settled: Iterable[pa.RecordBatch]
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Rename and reject the instances that lose their id.

    Args:
      articles: of ARTICLE, further columns perhaps behind its own.
      settled: of SETTLEMENT, each ascending by instance_key; of the whole input.

    Returns:
      articles: those that stay, in their order, copies renamed and noted.
      rejects: of REJECT.
    """
    found = _settled_rows(articles, settled)
    if not found:
        return articles, pa.RecordBatch.from_pylist([], schema=REJECT)
    columns = {name: articles.column(name).to_pylist() for name in CHANGED}
    rejects: list[dict[str, object]] = []
    stays = np.ones(articles.num_rows, bool)
    for row, change in sorted(found.items()):
        article_id = columns["article_id"][row]
        if change["number"]:
            article_id = f"{id_parts(article_id)[0]}#{change['number']}"
            columns["article_id"][row] = article_id
            columns["article_key"][row] = _key(article_id)
            columns["notes"][row] = [*columns["notes"][row], "repeated_id"]
        else:
            stays[row] = False
            place = articles.slice(row, 1).select(["file", "position"]).to_pylist()[0]
            reason = {"article_id": article_id, "reason": "repeated_id"}
            rejects.append({**place, **reason, "detail": _detail(change)})
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else array
        for field, array in zip(articles.schema, articles.columns, strict=True)
    ]
    changed = pa.RecordBatch.from_arrays(arrays, schema=articles.schema)
    kept = changed.filter(pa.array(stays))
    return kept, pa.RecordBatch.from_pylist(rejects, schema=REJECT)


def _settled_rows(
    articles: pa.RecordBatch, settled: Iterable[pa.RecordBatch]
) -> dict[int, dict[str, int]]:
    """Find the rows that lose their id, and what becomes of them."""
    keys = instance_keys(articles)
    found: dict[int, dict[str, int]] = {}
    for batch in settled:
        if not batch.num_rows:
            continue
        known = column(batch, "instance_key")
        places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        rows = np.flatnonzero(known[places] == keys)
        changes = batch.take(pa.array(places[rows])).to_pylist()
        found.update(zip(rows.tolist(), changes, strict=True))
    return found


def _detail(change: dict[str, int]) -> str:
    """Tell of the article that keeps the id, by which it is found."""
    published = "without a date"
    if change["kept_published"] != NO_TIME:
        micros = datetime.timedelta(microseconds=change["kept_published"])
        published = f"of {EPOCH + micros:%Y-%m-%d %H:%M} UTC"
    return f"other content has this id: kept the article {published}, find it by the id"


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["articles"], Spilled]
    | beam.pvalue.TaggedOutput[Literal["rejects"], pa.RecordBatch]
)


@dataclasses.dataclass(eq=False)
class SettleRepeatedIds(beam.PTransform):
    """Give every article an id of its own: `articles` (Spilled), `rejects` (REJECT).

    Applied to batches with the columns of ARTICLE and perhaps others; these batches wait
    on disk until all ids are known, and are given as they wait there.

    Attributes:
      folder: staging folder of this attempt.
    """

    folder: str

    def expand(self, articles: beam.PCollection[pa.RecordBatch]) -> Collections:
        """Group the packed ids, give what is settled back to the articles."""
        settled = (
            articles
            | "Pack" >> beam.FlatMap(self._pack)
            | "Group" >> beam.GroupByKey()
            | "Settle" >> beam.FlatMap(self._settle)
        )
        outputs = (
            articles
            | "Spill" >> SpillArticles(self.folder)
            | "Apply"
            >> beam.ParDo(self._apply, beam.pvalue.AsList(settled)).with_outputs(
                "articles", "rejects"
            )
        )
        return {"articles": outputs["articles"], "rejects": outputs["rejects"]}

    def _pack(self, articles: pa.RecordBatch) -> Iterable[tuple[int, pa.RecordBatch]]:
        instances = pack_instances(articles)
        return split_by(instances, column(instances, "base_key") % SHARDS)

    def _settle(
        self, shard: tuple[int, Iterable[pa.RecordBatch]]
    ) -> Iterator[pa.RecordBatch]:
        settled = settlements(concatenate(shard[1], INSTANCE))
        if settled.num_rows:
            yield settled

    def _apply(self, waiting: Spilled, settled: list[pa.RecordBatch]) -> Iterator[Tagged]:
        place = ("file", "position")
        if not settled or not _settled_rows(read_back(waiting, place), settled):
            yield beam.pvalue.TaggedOutput("articles", waiting)
            return
        kept, rejects = settle_ids(read_back(waiting), settled)
        if kept.num_rows:
            yield beam.pvalue.TaggedOutput("articles", spill(kept, self.folder))
        if rejects.num_rows:
            yield beam.pvalue.TaggedOutput("rejects", rejects)
