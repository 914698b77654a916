"""Bring the texts of every story together, resolve it, and write its rows.

The only stage after cleaning that moves whole texts: once, from where their batches wait
on disk to where those of their shard of stories do. What is shuffled is where they lie,
and a shard is small enough to be held in memory. The evidence goes the same way. Which
story an article belongs to comes as a side input of 32 bytes for each in company.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.article import CLEANED
from schemas.batch import Collections, column, concatenate, with_column
from schemas.fingerprint import FINGERPRINT
from schemas.match import COPY_EVIDENCE, STORY_EVIDENCE
from transforms.background import NO_BACKGROUND
from transforms.canonical import Row
from transforms.embedding import embed
from transforms.keywords import keywords
from transforms.membership import look_up
from transforms.parquet import Part, write_part
from transforms.relations import FollowUpRule, RewriteRule
from transforms.rewrites import Rewrites, find_rewrites
from transforms.speakers import rows_among
from transforms.spilling import Slice, Spilled, read_back, read_slice, spill_shards
from transforms.story_model import DATA, shared_story_model
from transforms.tables import story_tables
from transforms.term_vectors import document_shares, inverse_document_frequencies

# Tokens of a sentence that are embedded when two reports are aligned.
_SENTENCE_TOKENS = 48

# Null where the article was not embedded.
_VECTOR = pa.field("vector", pa.list_(pa.float16()))

# The vectors of articles that were embedded.
VECTOR = pa.schema([pa.field("article_key", pa.uint64(), nullable=False), _VECTOR])

# The article, its fingerprint for the index, and where it belongs.
STORY_ARTICLE = pa.schema(
    [
        *CLEANED,
        *(field for field in FINGERPRINT if field.name not in CLEANED.names),
        pa.field("group_key", pa.uint64(), nullable=False),
        pa.field("story_key", pa.uint64(), nullable=False),
        _VECTOR,
    ]
)
_MOVED = pa.schema(list(STORY_ARTICLE)[:-1])


def story_shards(story_keys: npt.NDArray[np.uint64], shards: int) -> npt.NDArray[np.int64]:
    """Give the shard of each story; keys are hashes, so shards are of about one size."""
    return (story_keys % np.uint64(shards)).astype(np.int64)


def shard_count(articles: int, articles_per_shard: int) -> int:
    """Give how many shards a number of articles makes, at least one."""
    return max(1, -(-articles // articles_per_shard))


def with_vectors(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give every row a `vector`, null where the article was not embedded."""
    if "vector" not in batch.schema.names:
        return with_column(
            batch, "vector", pa.nulls(batch.num_rows, pa.list_(pa.float16()))
        )
    vectors = column(batch, "vector")
    width = vectors.shape[1]
    embedded = vectors.any(axis=1)
    offsets = np.concatenate([[0], np.cumsum(np.where(embedded, width, 0))])
    lists = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.array(vectors[embedded].reshape(-1), pa.float16()),
        mask=pa.array(~embedded),
    )
    return with_column(batch, "vector", lists)


def embedded_vectors(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give the VECTOR rows of the articles of a batch that were embedded."""
    batch = with_vectors(batch).select(VECTOR.names).cast(VECTOR)
    return batch.filter(batch.column("vector").is_valid())


def join_vectors(articles: pa.RecordBatch, vectors: pa.RecordBatch) -> pa.RecordBatch:
    """Give articles their `vector`, null where there is none among VECTOR rows."""
    rows = rows_among(column(vectors, "article_key"), column(articles, "article_key"))
    found = vectors.column("vector").take(pa.array(rows, mask=rows < 0))
    return with_column(articles, "vector", found)


class _WriteStories(beam.DoFn):
    """Makes the tables of a shard of whole stories and writes them."""

    def __init__(self, settings: "ResolveStories") -> None:
        self.settings = settings

    def process(self, shard: tuple[int, dict[str, Iterable[Slice]]]) -> Iterator[Part]:
        number, given = shard
        found = {
            name: concatenate(map(read_slice, given[name]), schema)
            for name, schema in (
                ("articles", _MOVED),
                ("vectors", VECTOR),
                ("copy_edges", COPY_EVIDENCE),
                ("story_edges", STORY_EVIDENCE),
            )
        }
        made = story_tables(
            join_vectors(found.pop("articles"), found["vectors"]),
            found["copy_edges"],
            found["story_edges"],
            run_id=self.settings.run_id,
            keywords=functools.partial(
                keywords, rarity=self._rarity, count=self.settings.keyword_count
            ),
            find_rewrites=self._find_rewrites if self.settings.model else None,
            follow_up=self.settings.follow_up,
        )
        for table, rows in made.rows.items():
            yield write_part(
                table,
                number,
                [rows],
                self.settings.index_schema if table == "index" else rows.schema,
                staging=self.settings.staging,
                statistics=made.statistics if table == "articles" else None,
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
    model_folder: str = DATA
    articles_per_shard: int = 5_000
    keyword_count: int = 8

    def expand(self, given: Collections) -> beam.PCollection[Part]:
        """Route articles and edges to the shard of their story, and write it."""
        sides = {
            "membership": beam.pvalue.AsSingleton(given["membership"]),
            "article_count": beam.pvalue.AsSingleton(given["article_count"]),
        }
        routed = {
            "articles": given["articles"]
            | "Move articles"
            >> beam.FlatMap(self._move, **sides).with_output_types(tuple[int, Slice])
        }
        for name in ("vectors", "copy_edges", "story_edges"):
            routed[name] = given[name] | f"Move {name}" >> beam.FlatMap(
                self._move_rows, **sides
            ).with_output_types(tuple[int, Slice])
        return (
            routed
            | "Gather stories" >> beam.CoGroupByKey()
            | "Write stories" >> beam.ParDo(_WriteStories(self)).with_output_types(Part)
        )

    def _move(
        self, spilled: Spilled, membership: pa.RecordBatch, article_count: int
    ) -> Iterable[tuple[int, Slice]]:
        batch = read_back(spilled)
        keys = column(batch, "article_key")
        stories = look_up(membership, "story_key", keys)
        batch = with_column(batch, "story_key", stories)
        batch = with_column(batch, "group_key", look_up(membership, "group_key", keys))
        shards = story_shards(stories, shard_count(article_count, self.articles_per_shard))
        return spill_shards(batch.select(_MOVED.names).cast(_MOVED), shards, self.staging)

    def _move_rows(
        self, batch: pa.RecordBatch, membership: pa.RecordBatch, article_count: int
    ) -> Iterable[tuple[int, Slice]]:
        stories = look_up(membership, "story_key", column(batch, "article_key"))
        shards = story_shards(stories, shard_count(article_count, self.articles_per_shard))
        return spill_shards(batch, shards, self.staging)
