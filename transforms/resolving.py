"""Bring the texts of every story together, resolve it, and write its rows.

The only stage after cleaning that moves whole texts: once, keyed by the shard of their
story, so that nothing holds all of them. Which story an article belongs to comes as a
side input of 32 bytes for each article in company.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.article import CLEANED
from schemas.batch import Collections, column, concatenate, split_by, with_column
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
from transforms.story_model import DATA, shared_story_model
from transforms.tables import story_tables
from transforms.term_vectors import document_shares, inverse_document_frequencies

# Tokens of a sentence that are embedded when two reports are aligned.
_SENTENCE_TOKENS = 48

# What is shuffled: the article, its fingerprint for the index, and where it belongs.
STORY_ARTICLE = pa.schema(
    [
        *CLEANED,
        *(field for field in FINGERPRINT if field.name not in CLEANED.names),
        # Null where the article was not embedded.
        pa.field("vector", pa.list_(pa.float16())),
        pa.field("group_key", pa.uint64(), nullable=False),
        pa.field("story_key", pa.uint64(), nullable=False),
    ]
)


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


class _WriteStories(beam.DoFn):
    """Makes the tables of a shard of whole stories and writes them."""

    def __init__(self, settings: "ResolveStories") -> None:
        self.settings = settings

    def process(
        self, shard: tuple[int, dict[str, Iterable[pa.RecordBatch]]]
    ) -> Iterator[Part]:
        number, given = shard
        made = story_tables(
            concatenate(given["articles"], STORY_ARTICLE),
            concatenate(given["copy_edges"], COPY_EVIDENCE),
            concatenate(given["story_edges"], STORY_EVIDENCE),
            run_id=self.settings.run_id,
            keywords=functools.partial(
                keywords, rarity=self._rarity, count=self.settings.keyword_count
            ),
            find_rewrites=self._find_rewrites,
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
        model = self.settings.model
        if model is None:
            return [{} for _ in stories]
        return find_rewrites(
            stories,
            reader=functools.partial(embed, model=model, max_tokens=_SENTENCE_TOKENS),
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

    Applied to a dict: `articles` (the columns of CLEANED and FINGERPRINT, perhaps
    `vector`), `copy_edges`, `story_edges`, and, as single elements, `membership` (a
    MEMBERSHIP batch) and `article_count`.

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
    articles_per_shard: int = 20_000
    keyword_count: int = 8

    def expand(self, given: Collections) -> beam.PCollection[Part]:
        """Route articles and edges to the shard of their story, and write it."""
        sides = {
            "membership": beam.pvalue.AsSingleton(given["membership"]),
            "article_count": beam.pvalue.AsSingleton(given["article_count"]),
        }
        routed = {
            "articles": given["articles"]
            | "Route articles" >> beam.FlatMap(self._route, **sides)
        }
        for name in ("copy_edges", "story_edges"):
            routed[name] = given[name] | f"Route {name}" >> beam.FlatMap(
                self._route, **sides
            )
        return (
            routed
            | "Gather stories" >> beam.CoGroupByKey()
            | "Write stories" >> beam.ParDo(_WriteStories(self)).with_output_types(Part)
        )

    def _route(
        self, batch: pa.RecordBatch, membership: pa.RecordBatch, article_count: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        keys = column(batch, "article_key")
        stories = look_up(membership, "story_key", keys)
        if "text" in batch.schema.names:
            batch = with_vectors(batch)
            batch = with_column(batch, "story_key", stories)
            batch = with_column(batch, "group_key", look_up(membership, "group_key", keys))
            batch = batch.select(STORY_ARTICLE.names).cast(STORY_ARTICLE)
        shards = shard_count(article_count, self.articles_per_shard)
        yield from split_by(batch, story_shards(stories, shards))
