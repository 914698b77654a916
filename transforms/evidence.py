"""The evidence of a pair: all scores, the rule that decided, and the passages it shares.

Near misses are kept beside what was accepted, so that a reader can disagree with a
threshold without running anything again. Passages are worked out here, where the cleaned
texts stand, and only for copies: two reports of one event in other words share none.
"""

from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.match import MATCH
from transforms.passages import character_spans, shared_passages
from transforms.tokens import Tokens, tokenize


def match_rows(
    articles: pa.RecordBatch,
    copy_edges: pa.RecordBatch,
    story_edges: pa.RecordBatch,
    place: dict[int, int],
    story_of: npt.NDArray[np.int64],
    run_id: str,
) -> pa.RecordBatch:
    """Make one row of every pair that was compared, accepted or a near miss.

    Args:
      articles: rows of a shard of whole stories.
      copy_edges: COPY_EVIDENCE rows whose first article is among them.
      story_edges: STORY_EVIDENCE rows, likewise.
      place: key of an article -> its row.
      story_of: shape (n,). The number of each row's story.
      run_id: of this run.

    Returns:
      MATCH rows, by ids and question.
    """
    edges = [("copy", edge) for edge in copy_edges.to_pylist()]
    edges += [("story", edge) for edge in story_edges.to_pylist()]
    copied = sorted(
        {
            place[edge[name]]
            for question, edge in edges
            if question == "copy" and edge["relation"]
            for name in ("article_key", "matched_key")
            if edge[name] in place
        }
    )
    tokens = tokenize(articles.column("text").take(pa.array(copied, pa.int64())))
    token_rows = {row: i for i, row in enumerate(copied)}
    rows = []
    for question, edge in edges:
        left, right = (place.get(edge[name]) for name in ("article_key", "matched_key"))
        row = {
            "article_id": edge["article_id"],
            "matched_article_id": edge["matched_article_id"],
            "question": question,
            "jaccard": edge.get("jaccard"),
            "containment": edge.get("containment"),
            "cosine": edge.get("cosine"),
            "story_score": edge.get("story_score"),
            "gap_days": edge["gap_days"],
            "passages": [],
            "run_id": run_id,
        }
        if question == "copy":
            row |= _copy_decision(edge)
            if edge["relation"] and left is not None and right is not None:
                row["passages"] = _passages(tokens, token_rows[left], token_rows[right])
        else:
            together = (
                left is not None and right is not None and story_of[left] == story_of[right]
            )
            row |= _story_decision(edge, bool(together))
        rows.append(row)
    rows.sort(key=itemgetter("article_id", "matched_article_id", "question"))
    return pa.RecordBatch.from_pylist(rows, schema=MATCH)


def _copy_decision(edge: dict[str, Any]) -> dict[str, Any]:
    return {
        "accepted": edge["relation"] is not None,
        "relation": edge["relation"],
        "rule": edge["rule"],
    }


def _story_decision(edge: dict[str, Any], together: bool) -> dict[str, Any]:
    score = f"story score {edge['story_score']:.2f}"
    if together:
        rule = f"average link, {score}"
        return {"accepted": True, "relation": "same_story", "rule": rule}
    return {"accepted": False, "relation": None, "rule": f"other story, {score}"}


def _passages(tokens: Tokens, left: int, right: int) -> list[dict[str, int]]:
    spans = [slice(tokens.offsets[i], tokens.offsets[i + 1]) for i in (left, right)]
    shared = shared_passages(tokens.hashes[spans[0]], tokens.hashes[spans[1]])
    characters = character_spans(
        shared,
        tokens.starts[spans[0]],
        tokens.ends[spans[0]],
        tokens.starts[spans[1]],
        tokens.ends[spans[1]],
    )
    names = ("start", "end", "matched_start", "matched_end")
    return [dict(zip(names, row, strict=True)) for row in characters.tolist()]
