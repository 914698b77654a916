"""What a stream knows of earlier articles: what is new, who stands in, what goes."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_rows import rows
from schemas.article import ARTICLE, REJECT
from schemas.batch import column, with_column
from schemas.match import COPY_EVIDENCE, STORY_EVIDENCE
from schemas.past import LEARNT, REFUSED, STANDING, VECTOR
from transforms.line_rules import rule_lines, ruled_lines
from transforms.recurrence import article_lines, recurring_table, source_keys
from transforms.remembering import (
    NO_PAST,
    Past,
    first_refused,
    forget,
    forget_rows,
    latest_rows,
    learnt,
    only_new,
    present_representatives,
    refusals,
    with_present_representatives,
)
from transforms.story_articles import STORY_ARTICLE

ENDS = ("article_key", "matched_key")


def came(*values):
    """Make ARTICLE rows of (article, content, message)."""
    return rows(
        ARTICLE,
        *(
            {"article_key": key, "content_key": content, "file": file, "position": 1}
            for key, content, file in values
        ),
    )


def standing(key, story=None, group=None, representative=None, **others):
    given = {
        "article_key": key,
        "story_key": key if story is None else story,
        "group_key": key if group is None else group,
        "representative_key": key if representative is None else representative,
    }
    return given | others


def past(articles, standings, vectors=(), copies=(), stories=()):
    """Make a past of (article, window) pairs, standings, keys and pairs."""
    return Past(
        rows(STORY_ARTICLE, *({"article_key": a, "run_id": w} for a, w in articles)),
        rows(VECTOR, *({"article_key": key, "vector": [1.0]} for key in vectors)),
        rows(STANDING, *sorted(standings, key=lambda row: row["article_key"])),
        rows(COPY_EVIDENCE, *(dict(zip(ENDS, pair, strict=True)) for pair in copies)),
        rows(STORY_EVIDENCE, *(dict(zip(ENDS, pair, strict=True)) for pair in stories)),
    )


def keys(batch, name="article_key"):
    return column(batch, name).tolist()


def test_an_article_that_came_is_counted_and_left_out():
    known = past([(1, "w1")], [standing(1, content_key=10), standing(2, content_key=20)])
    new, refused, repeated = only_new(
        came((1, 10, "a"), (2, 20, "b"), (3, 30, "c"), (3, 30, "d")), known
    )
    assert keys(new) == [3]
    assert refused.num_rows == 0
    assert repeated == 3


def test_an_id_with_other_content_is_refused_and_the_first_keeps_it():
    known = past([(1, "w1")], [standing(1, content_key=10)])
    new, refused, repeated = only_new(came((1, 11, "a"), (1, 10, "b")), known)
    assert new.num_rows == 0
    assert keys(refused, "content_key") == [11]
    assert repeated == 1
    (reject,) = refusals(refused).to_pylist()
    assert refusals(refused).schema == REJECT
    assert (reject["file"], reject["position"], reject["reason"]) == ("a", 1, "repeated_id")


def test_what_is_new_does_not_depend_on_the_order():
    articles = came((1, 12, "a"), (1, 11, "b"), (1, 11, "a"), (2, 5, "c"))
    outcomes = set()
    for order in itertools.permutations(range(4)):
        new, refused, repeated = only_new(articles.take(pa.array(order)), NO_PAST)
        told = [
            tuple(row[name] for name in ("article_key", "content_key", "file"))
            for batch in (new, refused)
            for row in batch.to_pylist()
        ]
        outcomes.add((new.num_rows, tuple(told), repeated))
    assert outcomes == {(2, ((1, 11, "a"), (2, 5, "c"), (1, 12, "a")), 1)}


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.sampled_from("abc"))))
def test_every_article_is_new_or_refused_or_repeated(values):
    known = past([(1, "w1")], [standing(1, content_key=1), standing(2, content_key=2)])
    new, refused, repeated = only_new(came(*values), known)
    assert new.num_rows + refused.num_rows + repeated == len(values)
    assert len(set(keys(new))) == new.num_rows
    assert not {1, 2} & set(keys(new))


def test_the_earliest_that_is_at_hand_stands_in_for_who_is_not():
    grouped = rows(
        STANDING,
        standing(1, group=1, representative=2, published=100),
        standing(2, group=1, representative=2, published=50),
        standing(3, group=1, representative=2, published=90),
        standing(4, group=4, representative=5, published=10),
        standing(5, group=4, representative=5, published=20),
        standing(6, group=6, representative=6),
    )
    everybody = np.arange(1, 7).astype(np.uint64)
    assert present_representatives(grouped, everybody).tolist() == [2, 2, 2, 5, 5, 6]
    at_hand = np.array([1, 3, 4, 5], np.uint64)
    assert present_representatives(grouped, at_hand).tolist() == [3, 3, 3, 5, 5, 6]


def test_an_article_without_a_date_stands_in_last():
    grouped = rows(
        STANDING,
        standing(1, group=1, representative=9),
        standing(2, group=1, representative=9, published=99),
    )
    both = np.array([1, 2], np.uint64)
    assert present_representatives(grouped, both).tolist() == [2, 2]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 5)), max_size=12)
)
def test_one_that_is_at_hand_stands_for_every_group_that_has_one(values):
    groups = {}
    for key, (group, *_) in enumerate(values, 1):
        groups.setdefault(group, []).append(key)
    grouped = rows(
        STANDING,
        *(
            standing(
                key, groups[group][0], groups[group][0], groups[group][-1], published=t
            )
            for key, (group, _, t) in enumerate(values, 1)
        ),
    )
    present = [key for key, (_, here, _) in enumerate(values, 1) if here]
    found = present_representatives(grouped, np.array(present, np.uint64)).tolist()
    for members in groups.values():
        (stands,) = {found[key - 1] for key in members}
        assert stands in members
        assert stands in present or not set(members) & set(present)
        if members[-1] in present:
            assert stands == members[-1]


def test_a_past_has_representatives_that_are_remembered():
    known = past(
        [(2, "w2"), (3, "w3")],
        [standing(1), standing(2, group=1, representative=1), standing(3)],
    )
    standings = with_present_representatives(known).standings
    assert standings.schema == STANDING
    assert keys(standings, "representative_key") == [2, 2, 3]


FOUR = past(
    [(day, f"2026030{day}T000000Z-00000{day}") for day in range(1, 5)],
    [standing(1), standing(2, story=1), standing(3), standing(4, story=3)],
    vectors=[1, 2, 4],
    copies=[(1, 2), (3, 4), (2, 3)],
    stories=[(1, 2), (3, 4), (2, 4)],
)


@pytest.mark.parametrize(
    ("before", "least", "most", "remembered", "known"),
    [
        ("20260303T000000Z-000000", 0, 10, [3, 4], [3, 4]),
        ("20260302T000000Z-000000", 0, 10, [2, 3, 4], [1, 2, 3, 4]),
        ("20260302T000000Z-000000", 0, 1, [4], [3, 4]),
        ("20260309T000000Z-000000", 3, 10, [2, 3, 4], [1, 2, 3, 4]),
        ("20260309T000000Z-000000", 3, 2, [3, 4], [3, 4]),
        ("20260309T000000Z-000000", 0, 10, [], []),
    ],
)
def test_what_is_old_or_too_much_is_forgotten(before, least, most, remembered, known):
    left = forget(FOUR, before=before, least=least, most=most, most_known=9)
    assert keys(left.articles) == remembered
    assert keys(left.standings) == known
    assert set(keys(left.vectors)) == {1, 2, 4} & set(remembered)
    assert all(set(pair) <= set(remembered) for pair in pairs(left.copy_edges))
    assert all(set(pair) <= set(remembered) for pair in pairs(left.story_edges))


def pairs(edges):
    return list(zip(keys(edges), keys(edges, "matched_key"), strict=True))


def test_edges_between_the_remembered_stay():
    left = forget(FOUR, before="20260303T000000Z-000000", least=0, most=10, most_known=9)
    assert pairs(left.copy_edges) == pairs(left.story_edges) == [(3, 4)]


def test_nothing_is_forgotten_before_its_time():
    when = "20260301T000000Z-000000"
    assert forget(FOUR, before=when, least=0, most=4, most_known=0) is FOUR
    assert forget(NO_PAST, before="2", least=0, most=1, most_known=0) == NO_PAST


def test_a_late_article_is_as_old_as_its_window():
    late = [(1, "20260304T000000Z-000001"), (2, "20260301T000000Z-000002")]
    known = past(late, [standing(1), standing(2)])
    left = forget(known, before="", least=0, most=1, most_known=9)
    assert keys(left.articles) == [1]


def test_where_articles_of_a_story_that_is_over_stand_is_forgotten_too():
    """Who reads files finds where they stand, though nobody of their story is read."""
    known = past([(3, "w3")], [standing(1), standing(2, story=1), standing(3)])
    left = forget(known, before="", least=0, most=9, most_known=9)
    assert keys(left.standings) == [3]


@pytest.mark.parametrize(
    ("most_known", "known"),
    [(9, [1, 2, 3, 4, 5, 6]), (2, [1, 2, 4, 5, 6]), (1, [1, 2, 5, 6]), (0, [1, 2, 6])],
)
def test_of_a_story_without_end_so_much_is_known_and_always_its_names(most_known, known):
    """1 gives the story its name, 2 the copy group of what is remembered, 6."""
    told = [standing(6, story=1, group=2)]
    told += [standing(n, story=1, published=n) for n in (1, 2, 3, 4, 5)]
    left = forget(
        past([(6, "w6")], told), before="", least=0, most=9, most_known=most_known
    )
    assert keys(left.standings) == known


def noted(*values):
    """Make LEARNT rows of (source, line, window)."""
    return rows(
        LEARNT,
        *(
            {"source_key": source, "line_key": line, "run_id": label}
            for source, line, label in values
        ),
    )


def test_of_what_is_noted_twice_the_later_row_counts():
    both = [noted((2, 1, "w1"), (1, 5, "w3")), noted((1, 5, "w2"), (1, 4, "w2"))]
    for parts in (both, both[::-1]):
        found = latest_rows(parts, LEARNT)
        assert found == noted((1, 4, "w2"), (1, 5, "w3"), (2, 1, "w1"))
    assert latest_rows([], REFUSED).num_rows == 0


def test_what_was_noted_long_ago_is_forgotten_and_so_is_too_much():
    known = noted((1, 1, "w3"), (1, 2, "w1"), (1, 3, "w2"), (1, 4, "w3"), (1, 5, "w2"))
    left = forget_rows(known, before="w2", most=9)
    assert keys(left, "line_key") == [1, 3, 4, 5]
    assert keys(forget_rows(known, before="w2", most=3), "line_key") == [1, 3, 4]
    assert keys(forget_rows(known, before="w9", most=3), "line_key") == []


def test_a_reject_is_news_once():
    def rejects(*files):
        return rows(REJECT, *({"file": file, "position": 1} for file in files))

    known, first = first_refused(rejects("b", "a", "b"), rows(REFUSED), "w1")
    assert first.column("file").to_pylist() == ["b", "a"]
    again, none = first_refused(rejects("a"), known, "w2")
    assert none.num_rows == 0
    assert again == known
    now, first = first_refused(rejects("c", "b"), known, "w2")
    assert first.column("file").to_pylist() == ["c"]
    labels = dict(zip(keys(now, "row_key"), now.column("run_id").to_pylist(), strict=True))
    assert sorted(labels.values()) == ["w1", "w1", "w2"]
    assert keys(now, "row_key") == sorted(labels)


def test_what_recurs_is_noted_when_it_is_learnt_and_when_it_is_seen_long_after():
    page = ["A report of the day from the ward.", "Read the Sound every morning."]
    article = rows(ARTICLE, {"article_key": 1, "source": "s.example"})
    texts = pa.array(["\n".join(page)])
    article = with_column(article, "text", texts)
    lines = article_lines(article, ruled_lines(rule_lines(article)))
    (source,) = source_keys(pa.array(["s.example"])).tolist()
    slogan = int(lines.keys[1])
    found = recurring_table(np.array([[source, slogan]], np.uint64))
    nothing = recurring_table(np.zeros((0, 2), np.uint64))
    (first,) = learnt(noted(), found, lines, label="w1", seen_before="w0").to_pylist()
    assert first == {"source_key": source, "line_key": slogan, "run_id": "w1"}
    known = noted((77, slogan, "w1"), (source, 5, "w1"), (source, slogan, "w1"))
    for also in (nothing, found):
        told = learnt(known, also, lines, label="w2", seen_before="w1")
        assert told.num_rows == 0
        told = learnt(known, also, lines, label="w9", seen_before="w5")
        assert told.to_pylist() == [first | {"run_id": "w9"}]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=14),
    st.integers(0, 6),
    st.integers(0, 8),
    st.integers(0, 8),
)
def test_nothing_refers_to_what_is_forgotten(values, before, least, most):
    articles = [(key, f"w{window}") for key, (window, _) in enumerate(values, 1)]
    stories = {}
    for key, (_, story) in enumerate(values, 1):
        stories.setdefault(story, key)
    every = [key for key, _ in articles]
    known = past(
        articles,
        [standing(key, story=stories[story]) for key, (_, story) in enumerate(values, 1)],
        vectors=every,
        copies=itertools.combinations(every, 2),
        stories=itertools.combinations(every, 2),
    )
    rules = {"before": f"w{before}", "least": least, "most": most, "most_known": 99}
    left = forget(known, **rules)
    live, standings = set(keys(left.articles)), set(keys(left.standings))
    assert len(live) <= most
    assert len(live) >= min(least, most, len(values))
    assert live <= standings
    assert set(keys(left.vectors)) == live
    assert {k for pair in pairs(left.copy_edges) for k in pair} <= live
    assert {k for pair in pairs(left.story_edges) for k in pair} <= live
    of_live = {row["story_key"] for row in left.standings.to_pylist()}
    assert of_live == {stories[values[key - 1][1]] for key in live}
    assert forget(left, **rules) is left
