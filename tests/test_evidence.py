"""The evidence of a pair: scores, the rule that decided, the passages it shares."""

import numpy as np
import pyarrow as pa

from schemas.match import COPY_EVIDENCE, MATCH, STORY_EVIDENCE
from transforms.evidence import match_rows, passage_lists
from transforms.tokens import tokenize

PASSAGE = {"start": 0, "end": 9, "matched_start": 2, "matched_end": 11}


def copy_edge(article_id, matched_id, relation):
    return {
        "article_key": 1,
        "matched_key": 2,
        "relation": relation,
        "rule": "made up",
        "jaccard": 0.5,
        "containment": 1.0,
        "article_id": article_id,
        "matched_article_id": matched_id,
        "gap_days": None,
        "passages": [PASSAGE] if relation else [],
    }


def story_edge(article_id, matched_id, score):
    return {
        "article_key": 1,
        "matched_key": 2,
        "story_score": score,
        "cosine": None,
        "article_id": article_id,
        "matched_article_id": matched_id,
        "gap_days": 0.5,
    }


def matches(copies, stories, together):
    rows = match_rows(
        pa.RecordBatch.from_pylist(copies, schema=COPY_EVIDENCE),
        pa.RecordBatch.from_pylist(stories, schema=STORY_EVIDENCE),
        np.array(together, bool),
        "one",
    )
    assert rows.schema.equals(MATCH, check_metadata=True)
    return rows.to_pylist()


def test_what_was_asked_and_decided_is_one_row_by_ids():
    rows = matches(
        [copy_edge("b", "c", "near_copy"), copy_edge("a", "c", None)],
        [story_edge("b", "a", 0.756), story_edge("b", "c", 0.2)],
        [True, False],
    )
    told = [(row["article_id"], row["matched_article_id"], row["question"]) for row in rows]
    assert told == [
        ("a", "c", "copy"),
        ("b", "a", "story"),
        ("b", "c", "copy"),
        ("b", "c", "story"),
    ]
    miss, joined, copy, other = rows
    assert (miss["accepted"], miss["relation"], miss["passages"]) == (False, None, [])
    assert (joined["accepted"], joined["relation"]) == (True, "same_story")
    assert joined["rule"] == "average link, story score 0.76"
    assert (copy["rule"], copy["passages"]) == ("made up", [PASSAGE])
    assert copy["story_score"] is None
    assert (other["accepted"], other["relation"]) == (False, None)
    assert other["rule"] == "other story, story score 0.20"
    assert {row["run_id"] for row in rows} == {"one"}


def test_no_pair_gives_no_row():
    assert matches([], [], []) == []


def test_passages_are_listed_for_the_pairs_that_are_looked_at():
    texts = ["a b c d e f g h i", "x a b c d e f g h", "q r s"]
    tokens = tokenize(pa.array(texts))
    lists = passage_lists(tokens, np.array([0, -1, 0]), np.array([1, 1, 2])).to_pylist()
    start_and_end = {"start": 0, "end": 15, "matched_start": 2, "matched_end": 17}
    assert lists == [[start_and_end], [], []]
    assert len(passage_lists(tokens, np.empty(0, int), np.empty(0, int))) == 0
