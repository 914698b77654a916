"""Asking again: pairs that were scored when little was known of them are scored anew.

What a pair scores depends on what else is there: how many share its words, and who is
like both. In a stream an article is placed beside those that came before it, and where
few come in a window its first neighbours are judged almost alone. So a window asks about
`ASKED` articles at least: the new ones, and those that came last. A busy stream asks
about nobody twice.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.batch import column
from transforms.pair_scoring import GRAPH_FLOOR
from transforms.reopening import are_among, pair_keys

Keys = npt.NDArray[np.uint64]

# Articles that a window asks about, at least.
ASKED = 100

# A pair is told of again if its score differs by so much from what was told of it.
DIFFERENT = 0.02


def came_last(articles: pa.RecordBatch, among: Keys, count: int) -> Keys:
    """Give those that came in the last windows, ascending.

    Args:
      articles: rows with `article_key` and `run_id`, the label of the window.
      among: keys of those that may be chosen.
      count: how many are given, at most.
    """
    rows = articles.select(["run_id", "article_key"])
    rows = rows.filter(pa.array(np.isin(column(rows, "article_key"), among)))
    newest = [("run_id", "descending"), ("article_key", "ascending")]
    return np.sort(column(rows.sort_by(newest).slice(0, max(count, 0)), "article_key"))


class Asked(NamedTuple):
    """What became of the pairs that were scored.

    Attributes:
      told: STORY_EDGE rows, in the order given: new pairs, and old ones that score
        otherwise now.
      stand: STORY_EVIDENCE rows, in the order given: what was known and still holds.
    """

    told: pa.RecordBatch
    stand: pa.RecordBatch


def compare_scores(
    scored: pa.RecordBatch, known: pa.RecordBatch, new: Keys, *, min_score: float
) -> Asked:
    """Tell what is news of the pairs that were scored.

    Args:
      scored: STORY_EDGE rows, each pair once, also of those that score little.
      known: STORY_EVIDENCE rows of old pairs, each once.
      new: keys of articles that came now.
      min_score: new pairs that score less are no edges.
    """
    scores = column(scored, "story_score")
    ends = [np.isin(column(scored, name), new) for name in ("article_key", "matched_key")]
    is_new = ends[0] | ends[1]
    was = np.zeros(len(scores), np.float32)
    if known.num_rows:
        keys, own = pair_keys(known), pair_keys(scored)
        order = np.argsort(keys)
        at = order[np.minimum(np.searchsorted(keys, own, sorter=order), len(keys) - 1)]
        was = np.where(keys[at] == own, column(known, "story_score")[at], was)
    differs = np.abs(scores - was) >= DIFFERENT
    differs &= np.maximum(scores, was) >= np.float32(GRAPH_FLOOR)
    told = scored.filter(pa.array(np.where(is_new, scores >= min_score, differs)))
    return Asked(told, known.filter(pa.array(~are_among(known, told))))
