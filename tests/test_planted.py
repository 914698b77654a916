import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.copy_agreement import copies_of
from pipeline.planted import (
    KINDS,
    Planted,
    altered,
    planted_copies,
    planted_mistakes,
    planted_scores,
)

DAY = datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)


def article(number, words=120, **changed):
    return {
        "article_id": f"a{number}",
        "duplicate_group_id": f"a{number}",
        "published_at": DAY,
        "title": f"Title {number}",
        "text": " ".join(f"w{number}x{word}" for word in range(words)),
        "language": "en",
        "word_count": words,
        "thin": False,
        **changed,
    }


@given(st.floats(0, 1), st.floats(0.01, 1), st.integers(1, 300))
def test_the_share_of_words_that_is_asked_for_is_edited_and_kept(edited, kept, length):
    text = "\n".join(f"w{word}" for word in range(length))
    made = altered(
        text, edited=edited, kept=kept, vocabulary=["new"], random=np.random.default_rng(0)
    ).split("\n")
    left = round(kept * length)
    assert len(made) == max(left, 1)
    assert made.count("new") == round(edited * left)
    assert all(word in ("new", f"w{place}", "") for place, word in enumerate(made))


def test_copies_are_of_distinct_articles_and_come_later_from_elsewhere():
    rows, planted = planted_copies([article(number) for number in range(12)], 2)
    assert len({one.original for one in planted}) == len(rows) == 2 * len(KINDS)
    assert {row["published_at"] for row in rows} == {"2020-01-02T06:00:00+00:00"}
    by_id = {row["id"]: row for row in rows}
    for one in planted:
        original = article(one.original[1:])["text"].split()
        words = by_id[one.article_id]["text"].split()
        edited, kept = KINDS[one.kind]
        assert len(words) == round(kept * 120)
        same = sum(a == b for a, b in zip(words, original, strict=False))
        assert same >= len(words) - round(edited * 120)


def test_the_same_articles_in_any_order_give_the_same_copies():
    given = [article(number) for number in range(7)]
    assert planted_copies(given, 1) == planted_copies(given[::-1], 1)


def test_of_an_article_without_a_day_a_copy_has_none():
    rows, _ = planted_copies([article(i, published_at=None) for i in range(5)], 1)
    assert {row["published_at"] for row in rows} == {None}


def test_too_few_long_articles_are_refused():
    given = [article(0), article(1, words=99), article(2, thin=True)]
    given.append(article(3, duplicate_group_id="a0"))
    with pytest.raises(ValueError, match=r"of 5 x 1 articles .* there are 1"):
        planted_copies(given, 1)


def test_what_was_found_is_counted_by_kind_and_notices_in_pairs():
    copies = copies_of(
        {"p0": "a0", "a0": "a0", "p1": "p1", "a1": "a1", "n0": "n", "n1": "n", "n2": "n2"},
        [
            {
                "article_id": "a0",
                "matched_article_id": "p0",
                "question": "copy",
                "relation": "near_copy",
            }
        ],
    )
    planted = [Planted("p0", "a0", "exact"), Planted("p1", "a1", "exact")]
    scores = planted_scores(planted, ["n0", "n1", "n2"], copies)
    assert scores["copies"]["exact"] == {
        "planted": 2,
        "found": 0.5,
        "exact_copy": 0,
        "near_copy": 1,
        "partial_reprint": 0,
        "same_group": 0,
        "not_found": 1,
    }
    assert scores["notices"] == {"notices": 3, "pairs_taken_for_copies": 1}
    assert planted_mistakes(planted, ["n0", "n1", "n2"], copies) == [
        ("notices taken for copies", "n0", "n1"),
        ("missed: exact", "p1", "a1"),
    ]
