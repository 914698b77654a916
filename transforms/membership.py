"""Which copy group and which story every article belongs to, as one sorted table.

Only articles in company are listed: one that is missing is its own copy group and its own
story. Twenty-four bytes an article in company are small enough to go to every worker.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column, concatenate
from transforms.copy_groups import COPY_GROUP

Keys = npt.NDArray[np.uint64]

# From the stories stage: the members, representatives all, of every story of two or more.
STORY_MEMBERS = pa.schema(
    [
        pa.field("article_key", pa.uint64(), nullable=False),
        # Of the story's first representative.
        pa.field("story_key", pa.uint64(), nullable=False),
    ],
    metadata={"schema": "newsdedup.story_members", "version": "1"},
)

MEMBERSHIP = pa.schema(
    [*COPY_GROUP, pa.field("story_key", pa.uint64(), nullable=False)],
    metadata={"schema": "newsdedup.membership", "version": "1"},
)


def membership(
    groups: Sequence[pa.RecordBatch], stories: Sequence[pa.RecordBatch]
) -> pa.RecordBatch:
    """Join copy groups and stories: a copy is in the story of its representative.

    Args:
      groups: COPY_GROUP batches.
      stories: STORY_MEMBERS batches.

    Returns:
      A MEMBERSHIP batch sorted by article_key.

    Raises:
      ValueError: if an article is listed twice by either.
    """
    group = concatenate(groups, COPY_GROUP)
    story = concatenate(stories, STORY_MEMBERS)
    story_order = np.argsort(column(story, "article_key"))
    story_articles = column(story, "article_key")[story_order]
    story_keys = column(story, "story_key")[story_order]
    grouped = column(group, "article_key")
    alone = np.setdiff1d(story_articles, grouped)
    articles = np.concatenate([grouped, alone])
    if len(np.unique(articles)) != len(articles) or np.any(
        story_articles[1:] == story_articles[:-1]
    ):
        raise ValueError(
            "an article must be in one copy group and in one story, got one in two"
        )
    representatives = np.concatenate([column(group, "representative_key"), alone])
    order = np.argsort(articles)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(values[order], pa.uint64())
            for values in (
                articles,
                np.concatenate([column(group, "group_key"), alone]),
                representatives,
                _look_up(story_articles, story_keys, representatives),
            )
        ],
        schema=MEMBERSHIP,
    )


def look_up(table: pa.RecordBatch, name: str, articles: Keys) -> Keys:
    """Give a column of a MEMBERSHIP batch for some articles.

    Args:
      table: sorted by article_key.
      name: of the column.
      articles: shape (n,). Keys of articles, listed or not.

    Returns:
      Array of shape (n,): for an article that is not listed, its own key.
    """
    return _look_up(column(table, "article_key"), column(table, name), articles)


def _look_up(listed: Keys, values: Keys, articles: Keys) -> Keys:
    if not len(listed):
        return articles.copy()
    places = np.minimum(np.searchsorted(listed, articles), len(listed) - 1)
    return np.where(listed[places] == articles, values[places], articles)
