from pipeline.copy_agreement import copies_of, pair_mistakes, pair_scores, score_pairs
from pipeline.gold import Pair


def match(a, b, relation, question="copy"):
    return {
        "article_id": a,
        "matched_article_id": b,
        "question": question,
        "relation": relation,
    }


GROUPS = dict(zip("abcdefg", ["g1", "g1", "g1", "g1", "g2", "f", "g"], strict=True))
COPIES = copies_of(
    GROUPS,
    [
        match("a", "b", "exact_copy"),
        match("c", "b", "near_copy"),
        match("d", "a", "partial_reprint"),
        match("e", "a", "near_copy"),
        match("f", "g", None),
        match("f", "g", "same_story", question="story"),
    ],
)


def test_one_text_is_what_copies_connect_inside_a_copy_group():
    assert COPIES.same_text("a", "c")
    assert not COPIES.same_text("a", "d"), "a part is not the whole"
    assert not COPIES.same_text("a", "e"), "the group was left"
    assert not COPIES.same_text("f", "g"), "one story is not one text"
    assert COPIES.same_text("f", "f")


def test_relation_of_a_pair_is_the_accepted_one_else_that_of_the_group():
    assert COPIES.relation("b", "c") == COPIES.relation("c", "b") == "near_copy"
    assert COPIES.relation("a", "d") == "partial_reprint"
    assert COPIES.relation("c", "d") == "same_group"
    assert COPIES.relation("f", "g") == COPIES.relation("a", "unknown") == "not_found"


def test_pairs_are_scored_after_grouping_one_by_one_and_by_copy_group():
    scores = pair_scores(
        [Pair("a", "c", "dup"), Pair("b", "c", "dup"), Pair("a", "d", "not")], COPIES
    )
    assert scores["after_grouping"]["recall"] == 1
    assert scores["compared"]["recall"] == 0.5
    assert scores["compared"]["precision"] == 1
    assert scores["copy_groups"]["false"] == 1


def test_of_contained_texts_it_is_told_as_what_they_were_found():
    pairs = [Pair("d", "a", "contained"), Pair("d", "c", "contained")]
    scores = pair_scores([*pairs, Pair("f", "g", "contained")], COPIES)["contained"]
    assert scores["found"] == 2 / 3
    assert (scores["partial_reprint"], scores["same_group"], scores["not_found"]) == (
        1,
        1,
        1,
    )


def test_without_anything_to_find_there_is_no_share():
    scores = score_pairs([Pair("a", "b", "not")], lambda a, b: False)
    assert scores["precision"] is None
    assert scores["recall"] is None


def test_false_copies_are_told_first():
    pairs = [
        Pair("a", "d", "dup"),
        Pair("f", "g", "contained"),
        Pair("a", "g", "dup"),
        Pair("a", "c", "not"),
        Pair("a", "b", "dup"),
    ]
    assert [(kind, pair.b) for kind, pair in pair_mistakes(pairs, COPIES)] == [
        ("false copy", "c"),
        ("missed copy", "g"),
        ("missed contained", "g"),
        ("copy taken for a part", "d"),
    ]
