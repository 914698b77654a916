"""Boilerplate: batches are cleaned by all that is known, alone and in a pipeline."""

import datetime

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from schemas.article import ARTICLE, CLEANED, REMOVED
from schemas.batch import column, concatenate
from transforms.boilerplate import (
    LearnRecurringLines,
    RuleLines,
    StripBoilerplate,
    learn_recurring,
    strip_batch,
)
from transforms.line_rules import rule_lines
from transforms.recurrence import RECURRING, recurring_table
from transforms.spilling import SpillArticles, spill

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


def test_a_title_above_a_text_that_holds_none_of_its_words_belongs_to_it():
    title = "Gunman flees robbery"
    cleaned, _ = strip_batch(
        articles([("valley", title, f"{title}\n{PARAGRAPH}")]), NOTHING
    )
    assert cleaned.column("text").to_pylist() == [PARAGRAPH]
    assert cleaned.column("alien").to_pylist() == [False]


@pytest.fixture
def clean(apply, tmp_path):
    """Give what learns from batches and strips them, as the pipeline does."""
    return lambda batches: apply(Clean(str(tmp_path)), batches)


@pytest.fixture
def waits(tmp_path):
    """Give what lets a batch wait on disk."""
    return lambda batch: spill(batch, str(tmp_path))


class Clean(beam.PTransform):
    """Learns and strips, as the pipeline does."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def expand(self, batches):
        articles = batches | SpillArticles(self.folder)
        recurring = (articles | LearnRecurringLines())["recurring"]
        return {"articles": articles, "recurring": recurring} | StripBoilerplate()


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


def test_the_pipeline_learns_what_recurs_and_strips_it(clean):
    outputs = clean([corpus().slice(0, 4), corpus().slice(4)])
    cleaned = concatenate(outputs["cleaned"], CLEANED).sort_by("article_key").to_pylist()
    expected = [prose(n) for n in (*range(6), *range(3))]
    assert [row["text"] for row in cleaned[:9]] == expected
    assert [row["thin"] for row in cleaned] == [False] * 9 + [True] * 2
    removed = concatenate(outputs["removed"], REMOVED).to_pylist()
    assert {row["reason"] for row in removed} == {"recurs", "share"}
    assert sum(row["reason"] == "recurs" for row in removed) == 6


def test_the_pipeline_agrees_with_the_functions_whatever_the_batches(apply, waits):
    batch = corpus()
    (table,) = apply(LearnRecurringLines(), [waits(batch)])["recurring"]
    assert table.schema.equals(RECURRING)
    assert table.equals(learn_recurring([batch]))
    (again,) = apply(
        LearnRecurringLines(), [waits(batch.slice(5)), waits(batch.slice(0, 5))]
    )["recurring"]
    assert again.equals(table)
    expected, _ = strip_batch(batch, table)
    outputs = apply(StripBoilerplate(), {"articles": [waits(batch)], "recurring": [table]})
    (cleaned,) = outputs["cleaned"]
    assert cleaned.equals(expected)


def test_tables_of_earlier_runs_are_joined(apply, waits):
    (table,) = apply(LearnRecurringLines(), [waits(corpus())])["recurring"]
    inputs = {
        "articles": [waits(corpus())],
        "recurring": [table.slice(1), table.slice(0, 1)],
    }
    (cleaned,) = apply(StripBoilerplate(), inputs)["cleaned"]
    assert cleaned.equals(strip_batch(corpus(), table)[0])


def test_nothing_is_learnt_from_no_articles(apply, waits):
    outputs = apply(StripBoilerplate(), {"articles": [waits(corpus())], "recurring": []})
    (cleaned,) = outputs["cleaned"]
    assert cleaned.num_rows == corpus().num_rows


def test_rules_that_are_carried_along_change_nothing(apply, waits):
    (ruled,) = apply(RuleLines(), [corpus()])
    assert ruled.equals(rule_lines(corpus()))
    (table,) = apply(LearnRecurringLines(), [waits(corpus())])["recurring"]
    (again,) = apply(LearnRecurringLines(), [waits(ruled)])["recurring"]
    assert again.equals(table)
    for one, other in zip(
        strip_batch(corpus(), table), strip_batch(ruled, table), strict=True
    ):
        assert one.equals(other)


SLOGAN = "Write to us before noon."


def town() -> pa.RecordBatch:
    """Give four sources; one of them ends its pages with the same line."""
    rows = [("valley", f"Ferry number {n} lost", f"{prose(n)}\n{SLOGAN}") for n in range(4)]
    rows += [(name, None, prose(9 + n)) for n, name in enumerate(("hills", "lake", "moor"))]
    return articles(rows)


def cleaned_texts(clean, batch: pa.RecordBatch) -> list[str]:
    outputs = clean([batch])["cleaned"]
    return concatenate(outputs, CLEANED).sort_by("article_key").column("text").to_pylist()


def test_a_sentence_to_the_reader_that_one_source_alone_repeats_goes(clean, monkeypatch):
    monkeypatch.setattr("transforms.boilerplate._SHARDS", 1)
    assert not any(SLOGAN in text for text in cleaned_texts(clean, town()))


def test_a_template_sentence_stays_though_one_source_alone_repeats_it(clean, monkeypatch):
    monkeypatch.setattr("transforms.boilerplate._SHARDS", 1)
    rows = [
        (row["source"], row["title"], row["text"].replace(SLOGAN, "No one was hurt."))
        for row in town().to_pylist()
    ]
    texts = cleaned_texts(clean, articles(rows))
    assert sum("No one was hurt." in text for text in texts) == 4


def test_the_headline_of_another_article_of_the_source_is_a_link(clean):
    titles = ["Bridge of Ashford falls down", "Mayor opens swimming hall"]
    rows = [("valley", title, f"{prose(n)}\n{title}") for n, title in enumerate(titles)]
    rows[1] = ("valley", titles[1], f"{rows[1][2]}\n{titles[0]}\n{prose(7)}")
    # A version of the first, under a new headline, and another source.
    rows.append(("valley", "All about the flood", f"{titles[0]}\n{prose(0)}"))
    rows.append(("hills", "Two lost at sea", f"{prose(3)}\n{titles[0]}"))
    texts = cleaned_texts(clean, articles(rows))
    assert [titles[0] in text for text in texts] == [True, False, False, True]
    outputs = clean([articles(rows[:1] + rows[2:])])
    (cleaned,) = outputs["cleaned"]
    assert all(titles[0] in text for text in cleaned.column("text").to_pylist())


def test_an_agency_that_datelines_name_is_credited_by_its_name_alone(clean):
    rows = [
        ("wire", None, f"PORTO, May {n} (Valley Wire) - {PARAGRAPH}\n{prose(n)}")
        for n in range(2)
    ]
    rows.append(("post", None, f"Valley Wire\n{PARAGRAPH}\nThe quay. / Valley Wire"))
    outputs = clean([articles(rows)])
    (cleaned,) = outputs["cleaned"]
    assert cleaned.column("credited_source").to_pylist() == ["Valley Wire"] * 3
    assert cleaned.column("text").to_pylist()[2] == PARAGRAPH
    (alone,) = clean([articles(rows[1:])])["cleaned"]
    assert alone.column("credited_source").to_pylist() == ["Valley Wire", None]
