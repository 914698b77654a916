"""Pairs that are scored again, and what of that is news."""

import numpy as np
import pyarrow as pa
import pytest

from schemas.batch import column
from schemas.match import STORY_EDGE, STORY_EVIDENCE
from transforms.asking_again import came_last, compare_scores


def pairs(schema, *rows):
    given = {"vector_cosine": None, "article_id": "", "matched_id": ""}
    named = [
        dict(zip(("article_key", "matched_key", "story_score"), row, strict=True))
        for row in rows
    ]
    whole = [{**dict.fromkeys(schema.names), **given, **row} for row in named]
    for row in whole:
        for field in schema:
            if row[field.name] is None and not field.nullable:
                row[field.name] = "" if pa.types.is_string(field.type) else 0
    return pa.RecordBatch.from_pylist(
        [{name: row[name] for name in schema.names} for row in whole], schema=schema
    )


def told(batch):
    return [
        (one, other, round(score, 3))
        for one, other, score in zip(
            *(column(batch, name).tolist() for name in ("article_key", "matched_key")),
            column(batch, "story_score").tolist(),
            strict=True,
        )
    ]


def test_those_of_the_last_windows_are_asked_about_and_equal_ones_by_their_keys():
    articles = pa.RecordBatch.from_pydict(
        {
            "article_key": pa.array([5, 1, 9, 7, 3], pa.uint64()),
            "run_id": ["2026-05-12-1", "2026-05-12-2", "2026-05-12-2", "2026-05-11-9", "b"],
        }
    )
    among = column(articles, "article_key")[:4]
    assert came_last(articles, among, 3).tolist() == [1, 5, 9]
    assert came_last(articles, among, 1).tolist() == [1]
    assert came_last(articles, among, 0).tolist() == []
    assert came_last(articles, among, 99).tolist() == [1, 5, 7, 9]


def test_new_pairs_are_told_and_old_ones_that_score_otherwise():
    known = pairs(STORY_EVIDENCE, (1, 2, 0.9), (1, 3, 0.5), (2, 3, 0.4), (5, 6, 0.7))
    scored = pairs(
        STORY_EDGE,
        (1, 2, 0.905),  # as good as before
        (1, 3, 0.8),
        (1, 4, 0.02),  # new, and above what is an edge
        (2, 3, 0.001),  # hardly alike any more
        (2, 4, 0.005),
        (3, 5, 0.029),  # not known, and not worth telling
        (3, 6, 0.3),  # not known so far
    )
    found = compare_scores(scored, known, np.array([4], np.uint64), min_score=0.01)
    assert told(found.told) == [(1, 3, 0.8), (1, 4, 0.02), (2, 3, 0.001), (3, 6, 0.3)]
    assert told(found.stand) == [(1, 2, 0.9), (5, 6, 0.7)]


@pytest.mark.parametrize("turned", [False, True])
def test_a_known_pair_is_found_whichever_of_the_two_comes_first(turned):
    known = pairs(STORY_EVIDENCE, (2, 1, 0.9) if turned else (1, 2, 0.9))
    scored = pairs(STORY_EDGE, (1, 2, 0.5))
    found = compare_scores(scored, known, np.array([], np.uint64), min_score=0.01)
    assert told(found.told) == [(1, 2, 0.5)]
    assert found.stand.num_rows == 0


def test_of_no_known_pairs_only_new_ones_are_told_and_likely_ones():
    scored = pairs(STORY_EDGE, (1, 2, 0.5), (2, 3, 0.01))
    known = pairs(STORY_EVIDENCE)
    found = compare_scores(scored, known, np.array([1], np.uint64), min_score=0.01)
    assert told(found.told) == [(1, 2, 0.5)]
