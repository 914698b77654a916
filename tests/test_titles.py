"""Titles: texts that do not belong to what they stand under."""

import datetime

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from schemas.article import ARTICLE
from transforms.recurrence import BORNE_OUT, RECURRING, WHOLE_TEXT
from transforms.titles import (
    WHOLE,
    judge_texts,
    observe_texts,
    title_stems,
    title_support,
)

SIGN_IN = "Sign in with your valley profile to read what others wrote."
REPORT = "The river bridge in Ashford collapsed on Sunday and two drivers were hurt."


def judged(*rows: tuple[str | None, str]) -> dict[int, int]:
    """Give what is known of each text key, of (title, text); equal texts, equal keys."""
    texts = sorted({text for _, text in rows})
    values = [
        {
            **{"article_key": key, "article_id": str(key), "url": None, "source": None},
            **{"title": title, "text": text, "language": "en", "content_key": key},
            **{"file": "made", "position": key, "notes": []},
            "published_at": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        }
        for key, (title, text) in enumerate(rows)
    ]
    keys = np.array([10 + texts.index(text) for _, text in rows], dtype=np.uint64)
    batch = pa.RecordBatch.from_pylist(values, schema=ARTICLE)
    table = judge_texts(observe_texts(batch, keys))
    return dict(
        zip(
            table.column("line_key").to_pylist(),
            table.column("source_key").to_pylist(),
            strict=True,
        )
    )


def test_stems_are_the_longer_words():
    assert title_stems("Two hurt as the bridge of Ashford falls") == [
        *("hurt", "bridg", "ashfo", "falls")
    ]
    assert title_stems(None) == []


def test_pairs_stand_for_words_where_a_script_has_no_spaces():
    assert title_stems("大桥坍塌") == ["大桥", "桥坍", "坍塌"]


def test_support_is_the_share_of_stems_in_the_text():
    stems = title_stems("Bridge collapses near Ashford market")
    assert title_support(stems, REPORT) == 0.6
    assert title_support(stems[:2], "nothing of it") == 1.0


def test_one_page_under_unlike_titles_is_furniture():
    titles = ["Gunman flees after robbery", "Mayor opens swimming hall"]
    assert judged(*((title, SIGN_IN) for title in titles)) == {10: WHOLE_TEXT}


def test_a_copy_under_a_new_headline_is_an_article():
    titles = ["Bridge collapsed in Ashford", "Sunday drivers fear rivers everywhere"]
    assert judged(*((title, REPORT) for title in titles)) == {10: BORNE_OUT}


def test_like_titles_say_nothing_against_a_text():
    titles = ["Mayor opens swimming hall", "Mayor opens new swimming hall"]
    assert judged(*((title, SIGN_IN) for title in titles)) == {}


def test_a_missing_title_says_nothing():
    assert judged(("Gunman flees after robbery", SIGN_IN), (None, SIGN_IN)) == {}
    assert judged((None, SIGN_IN), ("", SIGN_IN), ("Oh", SIGN_IN)) == {}


def test_a_text_of_nothing_but_furniture_is_not_observed():
    batch = pa.RecordBatch.from_pylist([], schema=ARTICLE)
    assert observe_texts(batch, np.zeros(0, dtype=np.uint64)).schema.equals(WHOLE)
    assert judge_texts(pa.RecordBatch.from_pylist([], schema=WHOLE)).schema.equals(
        RECURRING
    )


@given(st.permutations(range(4)))
def test_the_order_of_titles_does_not_matter(order):
    titles = [
        *("Gunman flees after robbery", "Mayor opens swimming hall"),
        *("River floods valley again", None),
    ]
    assert judged(*((titles[at], SIGN_IN) for at in order)) == {10: WHOLE_TEXT}
