"""The tables of a run without stories: every copy group is a story of its own.

Nearly all articles are alone, and nothing has to be looked up to write of these: their
rows are made a part at a time, column by column, where the batches were spilled. What is
told of articles in company comes to them as a table: the speaker of each group is chosen
from the few columns that the comparison of the texts kept, and no text moves again.

Articles stand in the order of the batches they came in, part by part, and within a part as
in `tables`. An article whose group began in another part is there all the same, beside
the articles of the time its group began.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.article import TIMESTAMP
from schemas.batch import Collections, column, concatenate, split_by, with_column
from schemas.match import COPY_EVIDENCE, STORY_EVIDENCE
from schemas.story import ARTICLES, STORIES
from transforms.changes import change_rows
from transforms.evidence import match_rows
from transforms.membership import look_up
from transforms.parquet import Part, write_part
from transforms.resolving import shard_count, story_shards
from transforms.speakers import COPIED, copied, edges_between, group_speakers, rows_among
from transforms.spilling import Spilled, parts, read_back
from transforms.story_articles import as_new
from transforms.tables import (
    article_tables,
    copy_standings,
    in_row_order,
    in_story_order,
    statistics_of,
    story_rows,
)

# How an article in company stands; ascending by article_key.
STANDING = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        # Of the first article of its group: when it was published, and its id.
        pa.field("first_published_at", TIMESTAMP),
        pa.field("story_id", pa.string(), nullable=False),
        *(
            ARTICLES.field(name)
            for name in ("relation", "matched_article_id", "jaccard", "containment")
        ),
    ],
    metadata={"schema": "newsdedup.standing", "version": "1"},
)

# The stories of several articles, with the key of the first.
_STORY = pa.schema([pa.field("first_key", pa.uint64(), nullable=False), *STORIES])

# An article in company, and its group.
_MEMBER = pa.schema([*COPIED, pa.field("story_key", pa.uint64(), nullable=False)])

_NO_STORY_EDGES = pa.RecordBatch.from_pylist([], schema=STORY_EVIDENCE)


def standings(
    members: pa.RecordBatch, copy_edges: pa.RecordBatch, run_id: str
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Choose who speaks for each copy group, and say how the others stand.

    Args:
      members: schema _MEMBER, of whole groups of two and more; some perhaps repeated.
      copy_edges: schema COPY_EDGE, the edges between them, others perhaps beside them.
      run_id: of this run.

    Returns:
      standings: schema STANDING, one row a member.
      stories: schema _STORY, one row a group.
    """
    _, once = np.unique(column(members, "article_key"), return_index=True)
    members = in_story_order(members.take(pa.array(once)))
    groups, starts = in_row_order(column(members, "story_key"))
    edges = edges_between(copy_edges, column(members, "article_key"), groups)
    speakers = group_speakers(members, groups, edges)
    decided = copy_standings(members, speakers, edges)
    firsts = members.take(pa.array(starts))
    stories = story_rows(
        with_column(members, "relation", decided["relation"]),
        starts,
        names=firsts.column("article_id"),
        canonical=speakers.rows,
        reasons=speakers.reasons,
        independent=np.ones(starts.size, np.int32),
        run_id=run_id,
    )
    columns = {
        "article_key": members.column("article_key"),
        "first_published_at": firsts.column("published_at").take(pa.array(groups)),
        "story_id": firsts.column("article_id").take(pa.array(groups)),
        **decided,
    }
    found = pa.RecordBatch.from_arrays(
        [columns[name] for name in STANDING.names], schema=STANDING
    )
    return found, pa.RecordBatch.from_arrays(
        [firsts.column("article_key"), *stories.columns], schema=_STORY
    )


def part_tables(
    articles: pa.RecordBatch, standing: pa.RecordBatch, stories: pa.RecordBatch, run_id: str
) -> dict[str, pa.RecordBatch]:
    """Make the rows of the tables of a part, but for `matches`, by table.

    A group is in `stories` where its first article is.

    Args:
      articles: n rows with the columns of CLEANED and FINGERPRINT.
      standing: schema STANDING, of all articles in company.
      stories: schema _STORY, of all groups.
      run_id: of this run.
    """
    rows = rows_among(column(standing, "article_key"), column(articles, "article_key"))
    given = {
        name: standing.column(name).take(pa.array(rows, mask=rows < 0))
        for name in STANDING.names[1:]
    }
    ids, published = articles.column("article_id"), articles.column("published_at")
    alone = given["story_id"].is_null()
    # The order of the stories, then that of their articles.
    places = {
        "first": pc.if_else(alone, published, given.pop("first_published_at")),
        "story_id": pc.coalesce(given["story_id"], ids),
        "published": published,
        "id": ids,
    }
    order = pc.sort_indices(
        pa.RecordBatch.from_pydict(places),
        [(name, "ascending", "at_end") for name in places],
    )
    articles, alone = articles.take(order), alone.take(order)
    count = articles.num_rows
    decided = {name: values.take(order) for name, values in given.items()}
    decided |= {
        "story_id": places["story_id"].take(order),
        "duplicate_group_id": places["story_id"].take(order),
        "relation": pc.fill_null(decided["relation"], "canonical"),
        "cosine": pa.nulls(count, pa.float32()),
        "story_score": pa.nulls(count, pa.float32()),
    }
    keys = column(articles, "article_key")
    written = as_new(
        articles,
        run_id,
        groups=keys,
        stories=keys,
        representative=pc.equal(decided["relation"], "canonical").to_numpy(
            zero_copy_only=False
        ),
    )
    tables = article_tables(written, decided)
    tables["changes"] = change_rows(written, decided, ids, run_id)
    singles = with_column(copied(articles), "relation", decided["relation"]).filter(alone)
    every = np.arange(singles.num_rows)
    own = story_rows(
        singles,
        every,
        names=singles.column("article_id"),
        canonical=every,
        reasons=["the only report"] * every.size,
        independent=np.ones(every.size, np.int32),
        run_id=run_id,
    )
    begun = rows_among(column(articles, "article_key"), column(stories, "first_key")) >= 0
    groups = stories.filter(pa.array(begun)).select(STORIES.names).cast(STORIES)
    both = concatenate([own, groups], STORIES)
    in_time = pc.sort_indices(
        both,
        [(name, "ascending", "at_end") for name in ("first_published_at", "story_id")],
    )
    tables["stories"] = both.take(in_time)
    return tables


def copy_statistics(table: str, rows: pa.RecordBatch) -> dict[str, int]:
    """Count as `statistics_of`, but copy groups by their stories.

    The members of a group may stand in several files, its story stands in one.
    """
    counts = statistics_of(table, rows)
    if table == "articles":
        counts["copy_groups"] = 0
    if table == "stories":
        counts["copy_groups"] = counts["stories_of_several"]
    return counts


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["parts"], Part]
    | beam.pvalue.TaggedOutput[Literal["standings"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["stories"], pa.RecordBatch]
)


@dataclasses.dataclass(eq=False)
class WriteCopies(beam.PTransform):
    """Write articles, stories, matches, changes and the index; give the parts.

    Applied to a dict: `articles` (Spilled batches with the columns of CLEANED and
    FINGERPRINT), `copied`, `edges` and, as single elements, `membership` (a MEMBERSHIP
    batch) and `article_count`.

    Attributes:
      staging: folder that files are written to.
      run_id: of this run.
      index_schema: INDEX, its metadata saying how fingerprints were made.
      articles_per_part: articles of a file, at most.
    """

    staging: str
    run_id: str
    index_schema: pa.Schema
    articles_per_part: int = 20_000

    def expand(self, given: Collections) -> beam.PCollection[Part]:
        """Choose who speaks, group by group; write the articles, part by part."""
        sides = {
            "membership": beam.pvalue.AsSingleton(given["membership"]),
            "article_count": beam.pvalue.AsSingleton(given["article_count"]),
        }
        routed = {
            name: given[name] | f"Route {name}" >> beam.FlatMap(self._route, **sides)
            for name in ("copied", "edges")
        }
        resolved = (
            routed
            | "Gather groups" >> beam.CoGroupByKey()
            | "Choose speakers"
            >> beam.ParDo(self._resolve).with_outputs("parts", "standings", "stories")
        )
        joined = given["articles"].pipeline | "Once" >> beam.Create([None], reshuffle=False)
        told = {
            name: beam.pvalue.AsSingleton(
                joined
                | f"Join {name}"
                >> beam.Map(_joined, beam.pvalue.AsIter(resolved[name]), schema)
            )
            for name, schema in (("standings", STANDING), ("stories", _STORY))
        }
        written = (
            given["articles"]
            | "Gather batches" >> beam.Map(_under_one_key)
            | "Group batches" >> beam.GroupByKey()
            | "Number parts" >> beam.FlatMap(self._parts)
            | "Spread parts" >> beam.GroupByKey()
            | "Write parts" >> beam.FlatMap(self._write, **told).with_output_types(Part)
        )
        return (resolved["parts"], written) | "Parts" >> beam.Flatten()

    def _route(
        self, batch: pa.RecordBatch, membership: pa.RecordBatch, article_count: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        keys = column(batch, "article_key")
        groups = look_up(membership, "group_key", keys)
        shards = story_shards(groups, shard_count(article_count, self.articles_per_part))
        if batch.schema.names == COPIED.names:
            batch = with_column(batch, "story_key", groups).cast(_MEMBER)
            # A copy that has left its group is alone.
            known = rows_among(column(membership, "article_key"), keys) >= 0
            batch, shards = batch.filter(pa.array(known)), shards[known]
        yield from split_by(batch, shards)

    def _resolve(
        self, shard: tuple[int, dict[str, Iterable[pa.RecordBatch]]]
    ) -> Iterator[Tagged]:
        number, given = shard
        edges = concatenate(given["edges"], COPY_EVIDENCE)
        found, stories = standings(
            concatenate(given["copied"], _MEMBER), edges, self.run_id
        )
        matches = match_rows(edges, _NO_STORY_EDGES, np.zeros(0, bool), self.run_id)
        part = write_part(
            "matches", number, [matches], matches.schema, staging=self.staging
        )
        yield beam.pvalue.TaggedOutput("parts", part)
        yield beam.pvalue.TaggedOutput("standings", found)
        yield beam.pvalue.TaggedOutput("stories", stories)

    def _parts(
        self, keyed: tuple[int, Iterable[Spilled]]
    ) -> Iterator[tuple[int, list[Spilled]]]:
        return parts(keyed[1], articles_per_part=self.articles_per_part)

    def _write(
        self,
        numbered: tuple[int, Iterable[list[Spilled]]],
        standings: pa.RecordBatch,
        stories: pa.RecordBatch,
    ) -> Iterator[Part]:
        number, (batches,) = numbered
        first, *rest = (read_back(batch) for batch in batches)
        articles = concatenate([first, *rest], first.schema)
        tables = part_tables(articles, standings, stories, self.run_id)
        for table, rows in tables.items():
            yield write_part(
                table,
                number,
                [rows],
                self.index_schema if table == "index" else rows.schema,
                staging=self.staging,
                statistics=copy_statistics(table, rows),
            )


def _under_one_key(batch: Spilled) -> tuple[int, Spilled]:
    return 0, batch


def _joined(
    _: None, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> pa.RecordBatch:
    return concatenate(batches, schema)
