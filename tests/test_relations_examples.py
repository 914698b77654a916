"""How articles stand to each other, on examples that look as scraped ones do.

One run of the whole batch job over `data/relations.jsonl`, with the real model: ten sites
with one agency text and furniture of their own, a wire report with two rewrites, a
follow-up, a feature with its copies, and notices that only share a template.
"""

import json
from pathlib import Path

import pytest

from pipeline import batch
from pipeline.config import Config
from pipeline.show import read_table

EXAMPLES = Path(__file__).parent / "data" / "relations.jsonl"

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("relations") / "out")
    batch.run([str(EXAMPLES)], folder, Config(), fields={}, run_id="test")
    return folder


@pytest.fixture(scope="module")
def articles(output):
    return {row["article_id"]: row for row in read_table(output, "articles").to_pylist()}


@pytest.fixture(scope="module")
def stories(output):
    return {row["story_id"]: row for row in read_table(output, "stories").to_pylist()}


def examples(**wanted):
    rows = map(json.loads, EXAMPLES.read_text("utf-8").splitlines())
    return [row for row in rows if wanted.items() <= row.items()]


def independent_count(articles, stories, name):
    return stories[articles[name]["story_id"]]["independent_count"]


def test_every_example_is_in_the_story_it_was_written_for(articles):
    rows = examples()
    found = {row["id"]: articles[row["id"]]["story_id"] for row in rows}
    by_story = {row["story"]: found[row["id"]] for row in rows}
    assert found == {row["id"]: by_story[row["story"]] for row in rows}
    assert len(set(by_story.values())) == len(by_story)


def test_a_text_with_the_furniture_of_another_site_is_an_exact_copy(articles):
    copy = articles["lamps-exact"]
    assert (copy["relation"], copy["matched_article_id"]) == ("exact_copy", "lamps")
    assert copy["text"] == articles["lamps"]["text"]


def test_another_headline_captions_and_a_few_edits_make_a_near_copy(articles):
    copy = articles["lamps-near"]
    assert (copy["relation"], copy["matched_article_id"]) == ("near_copy", "lamps")


def test_the_first_paragraphs_alone_are_a_partial_reprint(articles):
    part = articles["lamps-part"]
    assert (part["relation"], part["matched_article_id"]) == ("partial_reprint", "lamps")


def test_reports_in_the_order_of_the_wire_and_other_words_are_its_rewrites(articles):
    family = ("wire", "rewrite-credited", "rewrite-silent")
    relations = [articles[name]["relation"] for name in family]
    assert relations == ["canonical", "wire_rewrite", "wire_rewrite"]
    assert {articles[name]["matched_article_id"] for name in family[1:]} == {"wire"}
    assert len({articles[name]["duplicate_group_id"] for name in family}) == 3


def test_a_report_of_its_own_is_of_the_same_story_and_nothing_closer(articles):
    assert articles["river-own"]["relation"] == "same_story"
    assert articles["crane-own"]["relation"] == "same_story"


def test_new_facts_of_the_second_day_are_a_follow_up(articles):
    assert articles["river-next-day"]["relation"] == "follow_up"


def test_notices_of_one_template_are_no_copies_and_no_story(articles, output):
    notices = [row["id"] for row in examples(case="template")]
    assert len(notices) == 4
    assert {articles[name]["relation"] for name in notices} == {"canonical"}
    assert len({articles[name]["story_id"] for name in notices}) == 4
    assert len({articles[name]["duplicate_group_id"] for name in notices}) == 4


def test_ten_sites_with_one_agency_text_are_copies_of_the_agency_s_own(articles):
    names = [row["id"] for row in examples(case="ten sites, one agency text")]
    assert len(names) == 10
    assert len({articles[name]["duplicate_group_id"] for name in names}) == 1
    assert {articles[name]["credited_source"] for name in names} == {"Associated Press"}
    origin, *copies = (articles[name]["relation"] for name in names)
    assert origin == "canonical"
    assert set(copies) == {"exact_copy", "near_copy"}


def test_ten_sites_with_one_agency_text_and_one_own_report_are_two_sources(
    articles, stories
):
    assert independent_count(articles, stories, "ap-01") == 2


def test_ten_sites_with_one_agency_text_are_one_source(tmp_path):
    """The made example without the report of its own; no model is needed to count."""
    given = tmp_path / "agency.jsonl"
    rows = examples(case="ten sites, one agency text")
    given.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    folder = str(tmp_path / "out")
    config = Config(embedding="none")
    batch.run([str(given)], folder, config, fields={}, run_id="test")
    (story,) = read_table(folder, "stories").to_pylist()
    assert story["article_count"] == 10
    assert story["independent_count"] == 1


def test_a_wire_report_and_its_rewrites_are_one_source(articles, stories):
    """The wire with two rewrites, a report of its own, and another on the day after."""
    assert independent_count(articles, stories, "wire") == 3
