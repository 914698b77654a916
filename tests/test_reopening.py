"""Reopening: furniture that shows late is taken off earlier articles."""

import numpy as np
import pyarrow as pa
import pytest

from schemas.article import REMOVED
from schemas.batch import column
from schemas.match import COPY_EDGE
from schemas.story import LINES
from transforms.candidates import PAIR
from transforms.line_words import line_key
from transforms.recurrence import (
    ANY_SOURCE,
    BORNE_OUT,
    HEADLINE,
    PROPER,
    WHOLE_TEXT,
    recurring_table,
    source_keys,
    text_keys,
)
from transforms.reopening import (
    are_among,
    hindsight,
    pairs_otherwise,
    pairs_to_ask_again,
    parted,
    stripped_again,
    taken_lines,
)

SLOGAN = "You are reading the valley edition"
REPORT = (
    "The river bridge in Ashford collapsed on Sunday and two drivers were hurt when "
    "their cars went down with it, the mayor of the small market town said in a short "
    "statement that was read aloud in front of the town hall in the evening."
)
VALLEY = int(source_keys(pa.array(["valley"]))[0])
ARTICLE = pa.schema(
    [
        pa.field("article_key", pa.uint64()),
        pa.field("title", pa.string()),
        pa.field("source", pa.string()),
        pa.field("text", pa.string()),
        pa.field("word_count", pa.int32()),
        pa.field("alien", pa.bool_()),
    ]
)


def table(*pairs):
    wrapped = [(owner % 2**64, key) for owner, key in pairs]
    return recurring_table(np.array(wrapped, np.uint64).reshape(-1, 2))


def keys(*values):
    return np.array(values, np.uint64)


def kept(*rows):
    """Give LINES rows of (key, source, title, lines)."""
    values = [
        {
            **{"article_key": key, "source": source, "published_day": key, "title": title},
            **{"agency_key": 0, "line_keys": [line_key(line) for line in lines]},
            **{"line_words": [9] * len(lines), "sketch": [], "sketch_lines": []},
        }
        for key, source, title, lines in rows
    ]
    return pa.RecordBatch.from_pylist(values, schema=LINES)


def written(*rows):
    """Give articles as they were written, of (key, title, text, alien)."""
    values = [
        (key, title, "valley", text, len(text.split()), alien)
        for key, title, text, alien in rows
    ]
    return pa.RecordBatch.from_pylist(
        [dict(zip(ARTICLE.names, row, strict=True)) for row in values], schema=ARTICLE
    )


def knowing(recurring=(), alien=(), borne_out=(), reopened=()):
    look = hindsight(kept(), [table(*recurring)], [])
    return look._replace(
        alien=keys(*alien), borne_out=keys(*borne_out), reopened=keys(*reopened)
    )


def removed(*rows):
    values = [
        {
            **{"article_key": 9, "article_id": "a9", "source": "valley", "word_count": 6},
            **{"reason": reason, "line": line},
        }
        for reason, line in rows
    ]
    return pa.RecordBatch.from_pylist(values, schema=REMOVED)


def edges(*rows):
    """Give edges of (key, key, relation)."""
    values = [
        {
            **{"article_key": a, "matched_key": b, "relation": relation, "rule": "made"},
            **{"jaccard": 0.9, "containment": 0.9},
        }
        for a, b, relation in rows
    ]
    return pa.RecordBatch.from_pylist(values, schema=COPY_EDGE)


def pairs(*rows):
    values = [dict(zip(PAIR.names, row, strict=True)) for row in rows]
    return pa.RecordBatch.from_pylist(values, schema=PAIR)


def test_only_lines_that_went_for_what_others_say_are_taken():
    rows = removed(("recurs", SLOGAN), ("ui", "Log In"), ("related", "Fire in Ashford"))
    expected = sorted([line_key(SLOGAN), line_key("Fire in Ashford")])
    assert taken_lines(rows).tolist() == expected
    assert taken_lines(removed()).size == 0


@pytest.mark.parametrize("owner", [VALLEY, VALLEY + int(PROPER), VALLEY + int(HEADLINE), 0])
def test_who_holds_what_went_is_reopened(owner):
    assert ANY_SOURCE == 0
    held = kept((1, "valley", None, [SLOGAN, REPORT]), (2, "valley", None, [REPORT]))
    found = [table((owner, line_key(SLOGAN)))]
    taken = [keys(line_key(SLOGAN))]
    assert hindsight(held, found, taken).reopened.tolist() == [1]
    # A line that recurs and stays, as template sentences do, reopens nothing.
    assert hindsight(held, found, []).reopened.size == 0
    known = table((VALLEY, line_key(SLOGAN)))
    again = hindsight(held, found, taken, known)
    assert again.reopened.size == 0
    assert column(again.recurring, "line_key").tolist()[0] == line_key(SLOGAN)


def test_the_own_title_of_an_article_reopens_nothing():
    held = kept((1, "valley", "Fire in Ashford", ["Fire in Ashford", REPORT]))
    found = [table((VALLEY + int(HEADLINE), line_key("Fire in Ashford")))]
    taken = [keys(line_key("Fire in Ashford"))]
    assert hindsight(held, found, taken).reopened.size == 0


def test_whole_texts_that_are_judged_now_reopen_their_holders():
    held = kept((1, "valley", None, [SLOGAN]), (2, "valley", None, [REPORT]))
    texts = [
        int(text_keys(np.array([0, 1]), keys(line_key(line)), np.zeros(1, np.bool_))[0])
        for line in (SLOGAN, REPORT)
    ]
    found = [table((WHOLE_TEXT, texts[0]), (BORNE_OUT, texts[1]))]
    look = hindsight(held, found, [])
    assert look.alien.tolist() == [1]
    assert look.borne_out.tolist() == [2]
    assert look.reopened.tolist() == [1, 2]


def test_recurring_lines_are_taken_off_earlier_texts():
    known = knowing([(VALLEY, line_key(SLOGAN)), (VALLEY, line_key("It is on."))])
    text = f"{SLOGAN}\n{REPORT}\nIt is on."
    rows = stripped_again(written((1, None, text, False), (2, None, REPORT, False)), known)
    # A short sentence recurs and stays.
    assert rows.column("text").to_pylist() == [f"{REPORT}\nIt is on.", REPORT]
    assert rows.column("is_amended").to_pylist() == [True, False]
    assert column(rows, "word_count").tolist() == [
        len(REPORT.split()) + 3,
        len(REPORT.split()),
    ]


def test_the_title_of_an_article_stays_in_its_text():
    known = knowing([(VALLEY, line_key(SLOGAN))])
    rows = written((1, SLOGAN, f"{SLOGAN}\n{REPORT}", False))
    assert stripped_again(rows, known).column("is_amended").to_pylist() == [False]


def test_of_a_text_of_a_few_words_nothing_is_left():
    known = knowing([(VALLEY, line_key(SLOGAN))])
    rows = written((1, None, f"{SLOGAN}\nA short text.", False))
    assert stripped_again(rows, known).column("text").to_pylist() == [""]
    rows = stripped_again(rows, known, min_words=3)
    assert rows.column("text").to_pylist() == ["A short text."]


def test_a_text_that_loses_the_words_of_its_title_is_alien():
    line = "Gunman flees robbery in the valley edition"
    known = knowing([(VALLEY, line_key(line))])
    text = f"{line}\n{REPORT}"
    title = "Gunman flees after robbery"
    rows = written((1, title, text, False))
    assert stripped_again(rows, known).column("alien").to_pylist() == [True]
    spared = known._replace(borne_out=keys(1))
    assert stripped_again(rows, spared).column("alien").to_pylist() == [False]


def test_whole_texts_make_articles_alien_or_not():
    rows = written((1, None, REPORT, False), (2, None, REPORT, True), (3, None, "", True))
    known = knowing(alien=[1], borne_out=[2])
    assert stripped_again(rows, known).column("alien").to_pylist() == [True, False, True]
    assert stripped_again(rows.slice(0, 0), known).num_rows == 0


def test_pairs_of_reopened_articles_are_asked_again():
    earlier = edges((2, 1, "exact_copy"), (3, 4, None), (5, 6, "near_copy"))
    assert pairs_to_ask_again(earlier, knowing(reopened=[1, 4])) == pairs((1, 2), (3, 4))
    assert pairs_to_ask_again(earlier, knowing()).num_rows == 0


def test_pairs_are_otherwise_if_their_relation_is():
    asked = pairs((1, 2), (3, 4), (5, 6), (7, 8))
    old = edges((2, 1, "exact_copy"), (3, 4, None), (5, 6, "near_copy"), (7, 8, None))
    new = edges((1, 2, "exact_copy"), (4, 3, "near_copy"), (9, 1, "exact_copy"))
    assert pairs_otherwise(asked, new, old) == pairs((3, 4), (5, 6))


def test_edges_are_found_whatever_the_order_of_their_ends():
    some = edges((2, 1, "exact_copy"), (3, 4, None))
    assert are_among(some, pairs((1, 2))).tolist() == [True, False]
    assert are_among(some, pairs()).tolist() == [False, False]


def test_parted_edges_share_nothing():
    (row,) = parted(edges((1, 2, "exact_copy"))).to_pylist()
    assert row["relation"] is None
    assert row["containment"] == 0
