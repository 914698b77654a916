"""Boilerplate: the text that is left, what went and why, alone and in a pipeline."""

import datetime
import pathlib

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.article import ARTICLE, CLEANED, REMOVED
from schemas.batch import column, concatenate
from transforms.boilerplate import (
    LearnRecurringLines,
    StripBoilerplate,
    is_guarded,
    split_lines,
    strip,
    strip_batch,
)
from transforms.recurrence import RECURRING, recurring_table

SEEDS = pathlib.Path(__file__).parents[2] / "shared" / "data" / "seeds"
PARAGRAPH = (
    "The river bridge in Ashford collapsed on Sunday and two drivers were hurt when "
    "their cars went down with it, the mayor of the small market town said in a short "
    "statement that was read aloud in front of the town hall in the evening."
)
WORDS = np.array([f"word{number:x}" for number in range(5000)])


def prose(seed: int) -> str:
    drawn = np.random.default_rng(seed).choice(WORDS, 90)
    return "\n".join(" ".join(part) + "." for part in np.array_split(drawn, 3))


def articles(rows: list[tuple[str | None, str | None, str]]) -> pa.RecordBatch:
    """Give articles of (source, title, text), a day apart."""
    values = [
        {
            **{"article_key": key, "article_id": f"a{key}", "url": None, "source": source},
            **{"title": title, "text": text, "language": "en", "content_key": key},
            **{"file": "made", "position": key, "notes": []},
            "published_at": datetime.datetime(2020, 3, 1, tzinfo=datetime.UTC)
            + datetime.timedelta(days=key),
        }
        for key, (source, title, text) in enumerate(rows, 1)
    ]
    return pa.RecordBatch.from_pylist(values, schema=ARTICLE)


NOTHING = recurring_table(np.zeros((0, 2), dtype=np.uint64))


def test_furniture_goes_and_paragraphs_stay_lines():
    text = (
        f"Log In\n\nBridge falls\n\nBy Jane Doe\n{PARAGRAPH}\nA river.\n\nFollow us on:\n"
    )
    stripped = strip(text)
    assert stripped.text == f"Bridge falls\n{PARAGRAPH}\nA river."
    assert stripped.removed == [
        *(("Log In", "ui"), ("By Jane Doe", "byline"), ("Follow us on:", "share"))
    ]


def test_what_the_source_repeats_goes():
    text = f"Valley edition\n{PARAGRAPH}"
    assert strip(text, None, [True, False]).removed == [("Valley edition", "recurs")]


def test_what_repeats_but_belongs_to_the_article_stays():
    for line in ("The investigation is ongoing.", "WASHINGTON -", "Age: 27", "Type – Fire"):
        assert is_guarded(line)
        assert line in strip(f"{line}\n{PARAGRAPH}", None, [True, False]).text
    assert not is_guarded("You are reading the valley edition")


def test_a_line_said_twice_is_said_once():
    text = f"The bridge at Ashford yesterday\n{PARAGRAPH}\nThe bridge at Ashford yesterday"
    stripped = strip(text)
    assert stripped.removed == [("The bridge at Ashford yesterday", "repeat")]
    assert stripped.text.startswith("The bridge at Ashford yesterday")


def test_a_name_between_two_buttons_is_furniture():
    text = f"{PARAGRAPH}\nOrigin:\npublisher logo\nValley News\nLoading..."
    assert strip(text).text == PARAGRAPH
    assert strip(text).credited_source == "Valley News"


def test_a_subhead_between_paragraphs_stays():
    text = f"{PARAGRAPH}\nValley News\n{PARAGRAPH} Again."
    assert "Valley News" in strip(text).text


def test_the_title_is_never_furniture():
    text = f"Related: a love story\n{PARAGRAPH}"
    assert strip(text).removed
    assert not strip(text, "Related: A Love Story").removed


def test_a_page_that_is_a_caption_is_that_caption():
    caption = "Rescuers search the bridge in Ashford on Sunday. (Photo: Jane Doe/AP)"
    assert strip(f"Log In\n{caption}").text == caption
    assert caption not in strip(f"{caption}\n{PARAGRAPH}").text


def test_an_agency_at_the_end_of_the_last_paragraph_is_a_credit():
    stripped = strip(f"{PARAGRAPH}\nThe river fell again on Monday. (AFP)\nShare this")
    assert stripped.text.endswith("Monday. (AFP)")
    assert stripped.credited_source == "AFP"


def test_the_credit_outlives_its_line():
    stripped = strip(f"The Associated Press\n{PARAGRAPH}")
    assert stripped.text == PARAGRAPH
    assert stripped.credited_source == "Associated Press"


@given(st.lists(st.sampled_from(["Log In", "", PARAGRAPH, "A river.", "Share this"])))
def test_every_line_is_kept_or_removed(lines):
    stripped = strip("\n".join(lines))
    gone = [line for line, _ in stripped.removed]
    assert sorted(stripped.text.split("\n") * bool(stripped.text) + gone) == sorted(
        line for line in lines if line
    )


@given(st.text())
@settings(deadline=None)
def test_no_text_breaks_it(text):
    stripped = strip(text)
    assert all(reason for _, reason in stripped.removed)
    assert split_lines(stripped.text) == stripped.text.split("\n")


def test_recurs_must_tell_of_every_line():
    with pytest.raises(ValueError, match=r"each of 2 lines, got 1 values"):
        strip("a\nb", None, [True])


def test_a_batch_is_cleaned_row_by_row():
    rows = [("valley", "Bridge in Ashford", f"Log In\n{PARAGRAPH}"), (None, None, "")]
    cleaned, removed = strip_batch(articles(rows), NOTHING)
    assert cleaned.schema.equals(CLEANED)
    assert removed.schema.equals(REMOVED)
    assert cleaned.column("text").to_pylist() == [PARAGRAPH, ""]
    assert column(cleaned, "word_count").tolist() == [len(PARAGRAPH.split()), 0]
    assert column(cleaned, "removed_word_count").tolist() == [2, 0]
    assert cleaned.column("thin").to_pylist() == [False, True]
    assert removed.to_pylist() == [
        {
            **{"article_key": 1, "article_id": "a1", "source": "valley"},
            **{"reason": "ui", "line": "Log In", "word_count": 2},
        }
    ]


def test_a_text_that_holds_no_word_of_its_title_is_thin():
    rows = [("valley", title, PARAGRAPH) for title in ("Gunman flees robbery", "Ashford")]
    cleaned, _ = strip_batch(articles(rows), NOTHING)
    assert cleaned.column("thin").to_pylist() == [True, False]
    cleaned, _ = strip_batch(articles(rows), NOTHING, alien_words=20)
    assert cleaned.column("thin").to_pylist() == [False, False]


class Clean(beam.PTransform):
    """Learns and strips, as the pipeline does."""

    def expand(self, batches):
        recurring = batches | LearnRecurringLines()
        return {"articles": batches, "recurring": recurring} | StripBoilerplate()


def corpus() -> pa.RecordBatch:
    line = "You are reading the valley edition"
    junk = "Win tickets for the autumn fair and many more great prizes right now"
    rows = [("valley", None, f"{line}\n{prose(n)}\nFollow us on:") for n in range(6)]
    rows += [("hills", None, prose(n)) for n in range(3)]
    rows += [
        (f"s{title}", title, f"{junk}\n{junk} today\n{junk} forever")
        for title in ("Gunman flees after robbery", "Mayor opens swimming hall")
    ]
    return articles(rows)


def test_the_pipeline_learns_what_recurs_and_strips_it(apply):
    outputs = apply(Clean(), [corpus().slice(0, 4), corpus().slice(4)])
    cleaned = concatenate(outputs["cleaned"], CLEANED).sort_by("article_key").to_pylist()
    expected = [prose(n) for n in (*range(6), *range(3))]
    assert [row["text"] for row in cleaned[:9]] == expected
    assert [row["thin"] for row in cleaned] == [False] * 9 + [True] * 2
    removed = concatenate(outputs["removed"], REMOVED).to_pylist()
    assert {row["reason"] for row in removed} == {"recurs", "share"}
    assert sum(row["reason"] == "recurs" for row in removed) == 6


def test_the_pipeline_agrees_with_the_functions_whatever_the_batches(apply):
    batch = corpus()
    (table,) = apply(LearnRecurringLines(), [batch])
    assert table.schema.equals(RECURRING)
    (again,) = apply(LearnRecurringLines(), [batch.slice(5), batch.slice(0, 5)])
    assert again.equals(table)
    expected, _ = strip_batch(batch, table)
    outputs = apply(StripBoilerplate(), {"articles": [batch], "recurring": [table]})
    (cleaned,) = outputs["cleaned"]
    assert cleaned.equals(expected)


def test_tables_of_earlier_runs_are_joined(apply):
    (table,) = apply(LearnRecurringLines(), [corpus()])
    inputs = {"articles": [corpus()], "recurring": [table.slice(1), table.slice(0, 1)]}
    (cleaned,) = apply(StripBoilerplate(), inputs)["cleaned"]
    assert cleaned.equals(strip_batch(corpus(), table)[0])


def test_nothing_is_learnt_from_no_articles(apply):
    outputs = apply(StripBoilerplate(), {"articles": [corpus()], "recurring": []})
    (cleaned,) = outputs["cleaned"]
    assert cleaned.num_rows == corpus().num_rows


@pytest.mark.skipif(not SEEDS.is_dir(), reason="needs ../shared/data/seeds")
def test_the_seeds_lose_their_furniture_and_nothing_else():
    kept, credits = [], []
    removed: list[tuple[str, str]] = []
    for path in sorted(SEEDS.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        stripped = strip(text)
        removed += stripped.removed
        credits.append(stripped.credited_source)
        kept.append(len(stripped.text.split()) / len(text.split()))
    assert credits == [None, "The Washington Post", None, None, "Arise News"]
    assert [reason for _, reason in removed] == [
        *("related", "credit", "credit", "credit", "ui"),
        *("ui", "date", "share", "ui", "ui", "ui", "ui", "ui", "ui", "related"),
    ]
    assert min(kept) > 0.92
