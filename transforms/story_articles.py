"""What is known of an article when its tables are written, be it new or written before.

A new article comes with its text and its fingerprint. One that an earlier run wrote comes
from the tables of that run, with what was decided then, so that it can be told what
changed.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.article import CLEANED
from schemas.batch import column
from schemas.fingerprint import FINGERPRINT
from schemas.story import INDEX
from transforms.continuing import ledger_rows

# What is written of an article: the article, its fingerprint for the index, where it
# belongs, and where it belonged.
STORY_ARTICLE = pa.schema(
    [
        *CLEANED,
        *(field for field in FINGERPRINT if field.name not in CLEANED.names),
        # Null where the article was not embedded.
        INDEX.field("vector"),
        INDEX.field("is_representative"),
        # Its fingerprint is known. That of an article of long ago is not.
        pa.field("is_indexed", pa.bool_(), nullable=False),
        pa.field("group_key", pa.uint64(), nullable=False),
        pa.field("story_key", pa.uint64(), nullable=False),
        # What an earlier run wrote of it; null for a new article.
        pa.field("previous_story_id", pa.string()),
        pa.field("previous_group_id", pa.string()),
        pa.field("previous_relation", pa.string()),
        # Who spoke for its story, where that article may be in another one now; else null.
        pa.field("previous_speaker_id", pa.string()),
        # What a stream called its story and its copy group; null where none did.
        pa.field("provisional_story_id", pa.string()),
        pa.field("provisional_group_id", pa.string()),
        # The run that it came in.
        pa.field("run_id", pa.string(), nullable=False),
    ],
    metadata={"schema": "newsdedup.story_article", "version": "2"},
)


def as_new(
    articles: pa.RecordBatch,
    run_id: str,
    *,
    groups: npt.NDArray[np.uint64],
    stories: npt.NDArray[np.uint64],
    representative: npt.NDArray[np.bool_],
    given: pa.RecordBatch | None = None,
) -> pa.RecordBatch:
    """Make STORY_ARTICLE rows of articles that no earlier run wrote of, or not so.

    Args:
      articles: n rows with the columns of CLEANED and FINGERPRINT, and perhaps `vector`;
        those that are input again with others of STORY_ARTICLE, too.
      run_id: of this run, unless the articles have one of their own.
      groups: shape (n,). Key of the copy group of each.
      stories: shape (n,). Key of the story of each.
      representative: shape (n,). Which stand for their copy group.
      given: STANDING rows, ascending: what a stream called their groups and stories.
    """
    count = articles.num_rows
    columns = {"run_id": pa.repeat(run_id, count)}
    columns |= dict(zip(articles.schema.names, articles.columns, strict=True))
    columns |= {
        "vector": vector_lists(articles),
        "is_representative": pa.array(representative),
        "is_indexed": pa.array(np.ones(count, np.bool_)),
        "group_key": pa.array(groups),
        "story_key": pa.array(stories),
    }
    if given is not None:
        rows = ledger_rows(given, column(articles, "article_key"))
        named = given.take(pa.array(rows, mask=rows < 0))
        columns["provisional_story_id"] = named.column("story_id")
        columns["provisional_group_id"] = named.column("duplicate_group_id")
    return pa.RecordBatch.from_arrays(
        [
            columns[field.name].cast(field.type)
            if field.name in columns
            else pa.nulls(count, field.type)
            for field in STORY_ARTICLE
        ],
        schema=STORY_ARTICLE,
    )


def vector_lists(articles: pa.RecordBatch) -> pa.Array:
    """Give the vectors of rows, null where an article was not embedded."""
    if "vector" not in articles.schema.names:
        return pa.nulls(articles.num_rows, pa.list_(pa.float16()))
    vectors = column(articles, "vector")
    width = vectors.shape[1]
    embedded = vectors.any(axis=1)
    offsets = np.concatenate([[0], np.cumsum(np.where(embedded, width, 0))])
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.array(vectors[embedded].reshape(-1), pa.float16()),
        mask=pa.array(~embedded),
    )
