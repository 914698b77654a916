"""Bring the texts of every story together, resolve it, and write its rows.

The only stage after cleaning that moves whole texts: once, from where their batches wait
on disk to where those of their shard of stories do. What is shuffled is where they lie,
and a shard is small enough to be held in memory. The evidence goes the same way. Which
story an article belongs to comes as a side input of 32 bytes for each in company.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import Collections, column, concatenate, with_column
from schemas.match import COPY_EVIDENCE, STORY_EVIDENCE
from schemas.past import VECTOR
from schemas.story import ARTICLES, INDEX
from transforms.background import NO_BACKGROUND
from transforms.canonical import Row
from transforms.continuing import UNCHANGED
from transforms.embedding import embed
from transforms.keywords import keywords
from transforms.main_content import SHIPPED
from transforms.membership import MEMBERSHIP, look_up
from transforms.parquet import Part, write_part
from transforms.past import articles_of, index_of
from transforms.relations import FollowUpRule, RewriteRule
from transforms.rewrites import Rewrites, find_rewrites
from transforms.speakers import rows_among
from transforms.spilling import Slice, Spilled, read_back, read_slice, spill_shards
from transforms.story_articles import STORY_ARTICLE, as_new, vector_lists
from transforms.story_model import shared_story_model
from transforms.tables import statistics_of, story_tables
from transforms.term_vectors import document_shares, inverse_document_frequencies

# Tokens of a sentence that are embedded when two reports are aligned.
_SENTENCE_TOKENS = 48

# What is moved of an article that an earlier run wrote of: where it belongs now, and
# apart from it what is known of it in the index, and its vector if it has one only now.
EARLIER_ARTICLE = pa.schema(
    [
        *ARTICLES,
        pa.field("article_key", pa.uint64(), nullable=False),
        *(field for field in MEMBERSHIP if field.name != "article_key"),
    ]
)
INDEXED = pa.schema(
    [
        field
        for field in INDEX
        if field.name in ("article_key", "vector", "is_representative")
        or field.name not in ARTICLES.names
    ]
)


def story_shards(story_keys: npt.NDArray[np.uint64], shards: int) -> npt.NDArray[np.int64]:
    """Give the shard of each story; keys are hashes, so shards are of about one size."""
    return (story_keys % np.uint64(shards)).astype(np.int64)


def shard_count(articles: int, articles_per_shard: int) -> int:
    """Give how many shards a number of articles makes, at least one."""
    return max(1, -(-articles // articles_per_shard))


def embedded_vectors(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give the VECTOR rows of the articles of a batch that were embedded."""
    columns = [batch.column("article_key"), vector_lists(batch)]
    vectors = pa.RecordBatch.from_arrays(columns, schema=VECTOR)
    return vectors.filter(vectors.column("vector").is_valid())


def join_vectors(articles: pa.RecordBatch, vectors: pa.RecordBatch) -> pa.RecordBatch:
    """Give articles their `vector`, null where there is none among VECTOR rows."""
    rows = rows_among(column(vectors, "article_key"), column(articles, "article_key"))
    found = vectors.column("vector").take(pa.array(rows, mask=rows < 0))
    return with_column(articles, "vector", found).cast(articles.schema)


def as_before(
    articles: pa.RecordBatch, index: pa.RecordBatch, vectors: pa.RecordBatch
) -> pa.RecordBatch:
    """Make STORY_ARTICLE rows of articles that an earlier run wrote of.

    Args:
      articles: n rows, schema EARLIER_ARTICLE.
      index: schema INDEXED; of an article of long ago there is no row.
      vectors: schema VECTOR, of articles that were embedded in this run.
    """
    count = articles.num_rows
    keys = column(articles, "article_key")
    rows = rows_among(column(index, "article_key"), keys)
    remembered = index.take(pa.array(rows, mask=rows < 0))
    found = rows_among(column(vectors, "article_key"), keys)
    late = vectors.column("vector").take(pa.array(found, mask=found < 0))
    standing = column(articles, "representative_key")
    given = (
        dict(zip(index.schema.names, remembered.columns, strict=True))
        | dict(zip(articles.schema.names, articles.columns, strict=True))
        | {
            "vector": pc.coalesce(remembered.column("vector"), late),
            "is_representative": pc.if_else(
                pa.array(standing == UNCHANGED),
                remembered.column("is_representative"),
                pa.array(standing == keys),
            ),
            "is_indexed": pa.array(rows >= 0),
            "previous_story_id": articles.column("story_id"),
            "previous_group_id": articles.column("duplicate_group_id"),
            "previous_relation": articles.column("relation"),
        }
    )
    return pa.RecordBatch.from_arrays(
        [
            _filled(given.get(field.name, pa.nulls(count, field.type)), field)
            for field in STORY_ARTICLE
        ],
        schema=STORY_ARTICLE,
    )


def _added(articles: pa.RecordBatch, run_id: str) -> int:
    """Count the articles of a run."""
    return pc.sum(pc.equal(articles.column("run_id"), run_id)).as_py() or 0


def _filled(values: pa.Array, field: pa.Field) -> pa.Array:
    """Put the nothing of its type where a column that holds no null has one."""
    if field.nullable or not values.null_count:
        return values.cast(field.type)
    if pa.types.is_list(field.type):
        nothing: object = []
    elif pa.types.is_fixed_size_list(field.type):
        nothing = [0] * field.type.list_size
    elif pa.types.is_boolean(field.type):
        nothing = False
    else:
        nothing = "" if pa.types.is_string(field.type) else 0
    absent = pa.array([nothing] * len(values), field.type)
    return pc.coalesce(values.cast(field.type), absent)


class _WriteStories(beam.DoFn):
    """Makes the tables of a shard of whole stories and writes them."""

    def __init__(self, settings: "ResolveStories") -> None:
        self.settings = settings

    def process(self, shard: tuple[int, dict[str, Iterable[Slice]]]) -> Iterator[Part]:
        number, given = shard
        found = {
            name: concatenate(map(read_slice, given.get(name, ())), schema)
            for name, schema in (
                ("articles", STORY_ARTICLE),
                ("earlier", EARLIER_ARTICLE),
                ("index", INDEXED),
                ("vectors", VECTOR),
                ("copy_edges", COPY_EVIDENCE),
                ("story_edges", STORY_EVIDENCE),
            )
        }
        vectors = found["vectors"]
        articles = join_vectors(found.pop("articles"), vectors)
        if found["earlier"].num_rows:
            earlier = as_before(found.pop("earlier"), found["index"], vectors)
            articles = concatenate([articles, earlier], STORY_ARTICLE)
        made = story_tables(
            articles,
            found["copy_edges"],
            found["story_edges"],
            run_id=self.settings.run_id,
            keywords=functools.partial(
                keywords, rarity=self._rarity, count=self.settings.keyword_count
            ),
            find_rewrites=self._find_rewrites if self.settings.model else None,
            follow_up=self.settings.follow_up,
        )
        for table, rows in made.items():
            yield write_part(
                table,
                number,
                [rows],
                self.settings.index_schema if table == "index" else rows.schema,
                staging=self.settings.staging,
                added=_added(rows, self.settings.run_id) if table == "articles" else None,
                statistics=statistics_of(table, rows),
            )

    def _find_rewrites(self, stories: Sequence[Sequence[Row]]) -> list[Rewrites]:
        return find_rewrites(
            stories,
            reader=functools.partial(
                embed, model=self.settings.model or "", max_tokens=_SENTENCE_TOKENS
            ),
            rarity=self._rarity,
            rule=self.settings.rewrite,
        )

    def _rarity(
        self, terms: npt.NDArray[np.uint64], language: str
    ) -> npt.NDArray[np.float32]:
        """Give inverse document frequencies in ordinary news of a language."""
        backgrounds = shared_story_model(self.settings.model_folder).backgrounds
        background = backgrounds.get(language, NO_BACKGROUND).terms
        return inverse_document_frequencies(
            document_shares(
                terms,
                np.zeros(len(terms), np.int64),
                0,
                background,
                prior_documents=0,
                min_share=0.5 / (background.documents + 1),
            )
        )


@dataclasses.dataclass(eq=False)
class ResolveStories(beam.PTransform):
    """Write articles, stories, matches, changes and the index; give the parts.

    Applied to a dict: `articles` (Spilled batches with the columns of CLEANED and
    FINGERPRINT), `vectors` (VECTOR batches), `copy_edges`, `story_edges`, and, as single
    elements, `membership` (a MEMBERSHIP batch) and `article_count`.

    Where earlier runs wrote of articles, the dict has besides: `earlier_articles` and
    `earlier_index`, paths of the files of these tables; `earlier_copy_edges` and
    `earlier_story_edges`, batches of the pairs they kept; `changed`, one CHANGED batch, the
    stories that are written again; and perhaps `late_vectors`, VECTOR batches.

    `provisional`, one STANDING batch, may say what a stream called groups and stories.

    Attributes:
      staging: folder that files are written to.
      run_id: of this run.
      model: sentence-transformers model that aligns sentences; none without embeddings.
      rewrite: what makes two reports rewrites of one.
      follow_up: what makes a report a follow-up.
      index_schema: INDEX, its metadata saying how fingerprints were made.
      model_folder: of the story model, whose term statistics name a story's keywords.
      articles_per_shard: articles of a file, about.
      keyword_count: keywords of a story, at most.
    """

    staging: str
    run_id: str
    model: str | None
    rewrite: RewriteRule
    follow_up: FollowUpRule
    index_schema: pa.Schema
    model_folder: str = SHIPPED
    articles_per_shard: int = 5_000
    keyword_count: int = 8

    def expand(self, given: Collections) -> beam.PCollection[Part]:
        """Route articles and edges to the shard of their story, and write it."""
        sides = {
            "membership": beam.pvalue.AsSingleton(given["membership"]),
            "article_count": beam.pvalue.AsSingleton(given["article_count"]),
        }
        named = {}
        if "provisional" in given:
            named = {"provisional": beam.pvalue.AsSingleton(given["provisional"])}
        routed = {
            "articles": given["articles"]
            | "Move articles"
            >> beam.FlatMap(self._move, **sides, **named).with_output_types(
                tuple[int, Slice]
            )
        }
        for name in ("vectors", "copy_edges", "story_edges"):
            routed[name] = given[name] | f"Move {name}" >> beam.FlatMap(
                self._move_rows, **sides
            ).with_output_types(tuple[int, Slice])
        if "changed" in given:
            routed |= self._earlier(given, routed, sides)
        return (
            routed
            | "Gather stories" >> beam.CoGroupByKey()
            | "Write stories" >> beam.ParDo(_WriteStories(self)).with_output_types(Part)
        )

    def _earlier(
        self, given: Collections, routed: Collections, sides: Mapping[str, Any]
    ) -> Collections:
        """Move what earlier runs wrote of stories that change."""
        changing = {**sides, "changed": beam.pvalue.AsSingleton(given["changed"])}
        found = {}
        for name, earlier in (
            ("copy_edges", "earlier_copy_edges"),
            ("story_edges", "earlier_story_edges"),
            ("vectors", "late_vectors"),
        ):
            if earlier in given:
                rows = given[earlier] | f"Move earlier {name}" >> beam.FlatMap(
                    self._move_changing, **changing
                ).with_output_types(tuple[int, Slice])
                found[name] = (routed[name], rows) | f"All {name}" >> beam.Flatten()
        for name, read, schema in (
            ("earlier", articles_of, EARLIER_ARTICLE),
            ("index", index_of, INDEXED),
        ):
            files = given["earlier_articles" if name == "earlier" else "earlier_index"]
            found[name] = files | f"Move {name}" >> beam.FlatMap(
                self._move_file, read, schema, **changing
            ).with_output_types(tuple[int, Slice])
        return found

    def _move(
        self,
        spilled: Spilled,
        membership: pa.RecordBatch,
        article_count: int,
        provisional: pa.RecordBatch | None = None,
    ) -> Iterable[tuple[int, Slice]]:
        batch = read_back(spilled)
        keys = column(batch, "article_key")
        stories = look_up(membership, "story_key", keys)
        shards = story_shards(stories, shard_count(article_count, self.articles_per_shard))
        new = as_new(
            batch,
            self.run_id,
            groups=look_up(membership, "group_key", keys),
            stories=stories,
            representative=look_up(membership, "representative_key", keys) == keys,
            given=provisional,
        )
        return spill_shards(new, shards, self.staging)

    def _move_rows(
        self, batch: pa.RecordBatch, membership: pa.RecordBatch, article_count: int
    ) -> Iterable[tuple[int, Slice]]:
        stories = look_up(membership, "story_key", column(batch, "article_key"))
        shards = story_shards(stories, shard_count(article_count, self.articles_per_shard))
        return spill_shards(batch, shards, self.staging)

    def _move_changing(
        self,
        batch: pa.RecordBatch,
        membership: pa.RecordBatch,
        article_count: int,
        changed: pa.RecordBatch,
    ) -> Iterable[tuple[int, Slice]]:
        stories = look_up(membership, "story_key", column(batch, "article_key"))
        batch = batch.filter(pa.array(np.isin(stories, column(changed, "story_key"))))
        return self._move_rows(batch, membership, article_count) if batch.num_rows else []

    def _move_file(
        self,
        path: str,
        read: Callable[[str, npt.NDArray[np.uint64]], pa.RecordBatch],
        schema: pa.Schema,
        membership: pa.RecordBatch,
        article_count: int,
        changed: pa.RecordBatch,
    ) -> Iterable[tuple[int, Slice]]:
        """Move the rows of a file that are of members of stories that change."""
        moving = np.isin(column(membership, "story_key"), column(changed, "story_key"))
        rows = read(path, column(membership, "article_key")[moving])
        if not rows.num_rows:
            return []
        keys = column(rows, "article_key")
        for field in MEMBERSHIP:
            if field.name in schema.names and field.name != "article_key":
                rows = with_column(rows, field.name, look_up(membership, field.name, keys))
        return self._move_rows(
            rows.select(schema.names).cast(schema), membership, article_count
        )
