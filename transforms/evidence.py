"""The evidence of a pair: all scores, the rule that decided, and the passages it shares.

Near misses are kept beside what was accepted, so that a reader can disagree with a
threshold without running anything again. Passages are worked out where the texts of a
pair are compared, and only for copies: two reports of one event in other words share none.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.batch import column, concatenate
from schemas.match import MATCH, PASSAGE
from transforms.passages import passages_of_pairs
from transforms.tokens import Tokens

_ORDER = ("article_id", "matched_article_id", "question")


def passage_lists(
    tokens: Tokens, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
) -> pa.ListArray:
    """Give the passages that pairs of texts share, a list of PASSAGE for each pair.

    Args:
      tokens: of the texts.
      left: shape (m,). One text of each pair; -1 for a pair that is not looked at.
      right: shape (m,). The other.
    """
    looked = left >= 0
    spans, bounds = passages_of_pairs(tokens, left[looked], right[looked])
    counts = np.zeros(left.size, np.int64)
    counts[looked] = np.diff(bounds)
    offsets = pa.array(np.append(0, np.cumsum(counts)), pa.int32())
    places = [pa.array(np.ascontiguousarray(spans[:, at])) for at in range(4)]
    return pa.ListArray.from_arrays(
        offsets, pa.StructArray.from_arrays(places, fields=list(PASSAGE))
    )


def match_rows(
    copy_edges: pa.RecordBatch,
    story_edges: pa.RecordBatch,
    together: npt.NDArray[np.bool_],
    run_id: str,
) -> pa.RecordBatch:
    """Make one row of every pair that was compared, accepted or a near miss.

    Args:
      copy_edges: COPY_EVIDENCE rows.
      story_edges: STORY_EVIDENCE rows.
      together: shape (m,). Whether both articles of each story edge are in one story.
      run_id: of this run.

    Returns:
      MATCH rows, by ids and question.
    """
    copies = _match_batch(
        copy_edges,
        run_id,
        question="copy",
        accepted=copy_edges.column("relation").is_valid(),
        relation=copy_edges.column("relation"),
        rule=copy_edges.column("rule"),
    )
    scores = column(story_edges, "story_score").tolist()
    stories = _match_batch(
        story_edges,
        run_id,
        question="story",
        accepted=pa.array(together),
        relation=pc.if_else(
            pa.array(together), pa.scalar("same_story"), pa.scalar(None, pa.string())
        ),
        rule=_story_rules(scores, together.tolist()),
    )
    rows = concatenate([copies, stories], MATCH)
    order = pc.sort_indices(rows, [(name, "ascending") for name in _ORDER])
    return rows.take(order)


def _story_rules(scores: Sequence[float], together: Sequence[bool]) -> pa.Array:
    return pa.array(
        [
            f"{'average link' if joined else 'other story'}, story score {score:.2f}"
            for score, joined in zip(scores, together, strict=True)
        ],
        pa.string(),
    )


def _match_batch(
    edges: pa.RecordBatch, run_id: str, *, question: str, **decided: pa.Array
) -> pa.RecordBatch:
    """Give MATCH rows: what was decided, what the edges have, else null or nothing."""
    count = edges.num_rows
    given = {
        "question": pa.repeat(question, count),
        "run_id": pa.repeat(run_id, count),
        "passages": pa.ListArray.from_arrays(
            pa.array(np.zeros(count + 1), pa.int32()), pa.array([], PASSAGE)
        ),
        **{name: edges.column(name) for name in edges.schema.names},
        **decided,
    }
    return pa.RecordBatch.from_arrays(
        [given.get(field.name, pa.nulls(count, field.type)) for field in MATCH],
        schema=MATCH,
    )
