"""Who speaks for a copy group, and how each member stands to that article."""

import datetime
import doctest

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.match import COPY_EDGE
from transforms import speakers
from transforms.speakers import (
    COPIED,
    COPY_RELATIONS,
    CopyEdges,
    copied,
    edges_between,
    first_words,
    group_speakers,
    is_credited,
    rows_among,
)

MORNING = datetime.datetime(2026, 5, 4, 6, tzinfo=datetime.UTC)
LATEST = datetime.datetime.max.replace(tzinfo=datetime.UTC)


def article(article_id="a", hours=0.0, **changes):
    published = None if hours is None else MORNING + datetime.timedelta(hours=hours)
    row = {
        "article_key": int.from_bytes(article_id.encode(), "big"),
        "article_id": article_id,
        "source": f"{article_id}.example",
        "credited_source": None,
        "published_at": published,
        "headline": f"Title of {article_id}",
        "has_title": True,
        "language": "en",
        "word_count": 100,
        "removed_word_count": 0,
    }
    return row | changes


def near(shorter, longer, relation="near_copy", jaccard=0.8, containment=0.9):
    return shorter, longer, COPY_RELATIONS.index(relation), jaccard, containment


def spoken(articles, edges, groups=None):
    """Give the speakers of groups whose articles are given in the order of time."""
    columns = list(zip(*edges, strict=True)) or [()] * 5
    kinds = (np.int64, np.int64, np.int64, np.float32, np.float32)
    pairs = CopyEdges(*map(np.array, columns, kinds))
    rows = pa.RecordBatch.from_pylist(list(articles), schema=COPIED)
    return group_speakers(rows, np.array(groups or [0] * len(articles), np.int64), pairs)


def speaker(articles, edges):
    """Give the row that speaks for the only group, and why."""
    found = spoken(articles, edges)
    return found.rows.tolist()[0], found.reasons[0]


def test_examples_in_docstrings_hold():
    assert doctest.testmod(speakers).failed == 0


def test_an_article_alone_speaks_for_itself():
    assert speaker([article("a")], []) == (0, "the only report")


def test_the_earliest_copy_speaks():
    best, reason = speaker([article("b", 1), article("a", 5)], [near(1, 0)])
    assert best == 0
    assert reason == "earliest whole text of 2 copies"


def test_a_credited_origin_speaks_even_if_it_came_later():
    copies = [
        article("a", 1, credited_source="Meridian Wire"),
        article("b", 2, source="meridianwire.example"),
        article("c", 3, credited_source="Meridian Wire"),
    ]
    best, reason = speaker(copies, [near(0, 1), near(2, 1)])
    assert best == 1
    assert reason == "origin, credited by 2 of 3 copies"


def test_a_credit_to_oneself_makes_no_origin():
    copies = [
        article("a", 0),
        article("reuters", 1, source="reuters.com", credited_source="Reuters"),
    ]
    assert speaker(copies, [near(0, 1)]) == (0, "earliest whole text of 2 copies")


def test_who_came_first_is_not_claimed_where_it_is_not_known():
    for copies in ([article("a", 1), article("b", None)], [article("a"), article("b")]):
        best, reason = speaker(copies, [near(0, 1)])
        assert (best, reason) == (0, "earliest and fullest known of 2 copies")


def test_a_partial_reprint_never_speaks_for_the_whole_text():
    copies = [article("a", 0), article("b", 9)]
    assert speaker(copies, [near(0, 1, "partial_reprint", 0.3, 1.0)])[0] == 1


def test_copies_of_a_part_do_not_speak_for_the_whole_text_either():
    told = [article(name, hours) for name, hours in (("a", 0), ("b", 1), ("c", 9))]
    found = spoken(told, [near(0, 1), near(1, 2, "partial_reprint", 0.1, 0.8)])
    assert found.rows.tolist() == [2]
    assert found.matched.tolist() == [1, 2, -1]


def test_copies_without_dates_are_spoken_for_by_the_fullest():
    copies = [article("a", None, word_count=90), article("b", None, word_count=120)]
    assert speaker(copies, [near(0, 1)])[0] == 1


def test_a_copy_without_an_edge_to_the_speaker_shows_its_closest_copy():
    told = [article("a", 0), article("b", 1), article("c", 2)]
    edges = [near(1, 0), near(2, 1, "partial_reprint", 0.2, 0.9)]
    found = spoken(told, edges)
    assert found.rows.tolist() == [0]
    assert found.matched.tolist() == [-1, 0, 1]
    assert found.edges.tolist() == [-1, 0, 1]


def test_a_member_of_a_copy_group_without_any_edge_is_an_error():
    with pytest.raises(ValueError, match="must have an edge, got none at 1"):
        spoken([article("a", 0), article("b", 1)], [])


def members(draw_hours, draw_sizes, draw_sources):
    return st.builds(
        lambda hours, words, removed, titled, source, credited: {
            "hours": hours,
            "word_count": words,
            "removed_word_count": removed,
            "has_title": titled,
            "source": source,
            "credited_source": credited,
        },
        draw_hours,
        draw_sizes,
        draw_sizes,
        st.booleans(),
        draw_sources,
        draw_sources,
    )


NAMES = st.sampled_from([None, "Reuters", "reuters.com", "apnews.com", "Associated Press"])


@given(
    st.lists(
        members(st.sampled_from([None, 0, 1, 2]), st.integers(1, 3), NAMES), min_size=1
    ),
    st.randoms(use_true_random=False),
)
def test_speakers_are_those_of_the_definition(drawn, dice):
    rows = [
        article(f"{number:03}", own.pop("hours"), **own)
        for number, own in enumerate(map(dict, drawn))
    ]
    rows.sort(key=lambda row: (row["published_at"] or LATEST, row["article_id"]))
    edges = [
        near(k, dice.randrange(k), dice.choice(COPY_RELATIONS), dice.choice([0.5, 1.0]))
        for k in range(1, len(rows))
    ]
    edges = [(*sorted(edge[:2], key=lambda _: dice.random()), *edge[2:]) for edge in edges]
    best, reason = definition(rows, edges)
    stands = {best} | {edge[0] for edge in edges}
    stands |= {edge[1] for edge in edges if edge[2] < 2}
    if len(stands) < len(rows):
        with pytest.raises(ValueError, match="must have an edge"):
            spoken(rows, edges)
        return
    found = spoken(rows, edges)
    assert (found.rows.tolist(), found.reasons) == ([best], [reason])
    for i, edge in enumerate(found.edges.tolist()):
        assert (edge < 0) == (i == best)
        if i != best:
            assert edge == closest(i, best, edges)


def definition(rows, edges):
    """Choose the speaker one article at a time."""
    if len(rows) == 1:
        return 0, "the only report"
    unit = list(range(len(rows)))
    for shorter, longer, relation, *_ in edges:
        if relation < 2:
            unit = [unit[longer] if own == unit[shorter] else own for own in unit]
    parts = {
        unit[shorter]
        for shorter, longer, relation, *_ in edges
        if relation == 2 and unit[shorter] != unit[longer]
    }
    whole = [i for i in range(len(rows)) if unit[i] not in parts] or list(range(len(rows)))
    credits = [
        sum(
            is_credited(row["source"], other["credited_source"])
            for j, other in enumerate(rows)
            if j != i
        )
        for i, row in enumerate(rows)
    ]
    origins = [i for i in whole if credits[i]]
    best = min(
        origins or whole,
        key=lambda i: (
            rows[i]["published_at"] or LATEST,
            -rows[i]["word_count"],
            rows[i]["removed_word_count"],
            not rows[i]["has_title"],
            rows[i]["article_id"],
        ),
    )
    if origins:
        return best, f"origin, credited by {credits[best]} of {len(rows)} copies"
    dates = {rows[i]["published_at"] for i in whole}
    if None in dates or len(dates) < len(whole):
        return best, f"earliest and fullest known of {len(rows)} copies"
    return best, f"earliest whole text of {len(rows)} copies"


def closest(row, best, edges):
    def closeness(number):
        shorter, longer, relation, jaccard, containment = edges[number]
        other = longer if shorter == row else shorter
        return other != best, relation, -containment, -jaccard, other

    own = [
        number
        for number, edge in enumerate(edges)
        if edge[0] == row or (edge[1] == row and edge[2] < 2)
    ]
    return min(own, key=closeness)


def test_groups_do_not_look_at_each_other():
    told = [article("a", 0), article("b", 1), article("c", 2), article("d", 3)]
    found = spoken(told, [near(2, 0), near(3, 1)], groups=[0, 1, 0, 1])
    assert found.rows.tolist() == [0, 1]
    assert found.matched.tolist() == [-1, -1, 0, 1]


def test_only_accepted_pairs_within_a_group_count():
    edges = pa.RecordBatch.from_pylist(
        [
            {
                "article_key": one,
                "matched_key": other,
                "relation": relation,
                "rule": "made up",
                "jaccard": 0.5,
                "containment": 1.0,
            }
            for one, other, relation in [
                (9, 5, "near_copy"),
                (9, 7, "near_copy"),
                (9, 5, None),
                (5, 3, "exact_copy"),
            ]
        ],
        schema=COPY_EDGE,
    )
    found = edges_between(edges, np.array([9, 5, 7], np.uint64), np.array([0, 0, 1]))
    assert [values.tolist() for values in found] == [[0], [1], [1], [0.5], [1.0]]
    nowhere = edges_between(edges, np.empty(0, np.uint64), np.empty(0, np.int64))
    assert nowhere.shorter.size == 0


def test_a_key_that_is_not_there_has_no_row():
    keys = np.array([8, 2, 5], np.uint64)
    wanted = np.array([5, 1, 8, 9], np.uint64)
    assert rows_among(keys, wanted).tolist() == [2, -1, 0, -1]
    assert rows_among(keys[:0], wanted).tolist() == [-1] * 4


def test_the_first_words_of_a_text_stand_for_a_title():
    rows = [
        article(str(number)) | {"title": title, "text": text}
        for number, (title, text) in enumerate(
            [("Own title", "Text."), (None, " First line\nmore"), ("", "word " * 60)]
        )
    ]
    schema = pa.schema(
        [*COPIED, pa.field("title", pa.string()), pa.field("text", pa.string())]
    )
    found = copied(pa.RecordBatch.from_pylist(rows, schema=schema))
    assert found.schema.equals(COPIED)
    assert found.column("headline").to_pylist()[:2] == ["Own title", "First line"]
    assert found.column("has_title").to_pylist() == [True, False, False]
    long = found.column("headline")[2].as_py()
    assert long == first_words("word " * 60)
    assert long.endswith("word…")
    assert len(long) <= 121
