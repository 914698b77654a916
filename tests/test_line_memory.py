"""Line memory: what is kept of lines says in a later run what they said when they came."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from schemas.article import ARTICLE
from schemas.batch import column
from schemas.story import LINES
from transforms.boilerplate import learn_recurring
from transforms.line_memory import (
    held_keys,
    holders,
    kept_lines,
    lines_to_keep,
    titles_by_text,
)
from transforms.line_rules import rule_lines, ruled_lines
from transforms.recurrence import (
    article_keys,
    article_lines,
    observe_lines,
    recurring_table,
    source_keys,
)

WORDS = np.array([f"word{number:x}" for number in range(5000)])
SLOGAN = "You are reading the valley edition"


def prose(seed: int) -> str:
    drawn = np.random.default_rng(seed).choice(WORDS, 90)
    return "\n".join(" ".join(part) + "." for part in np.array_split(drawn, 3))


def articles(*rows, first=1):
    """Give articles of (source, title, text), a day apart."""
    values = [
        {
            **{"article_key": key, "article_id": f"a{key}", "url": None, "source": source},
            **{"title": title, "text": text, "language": "en", "content_key": key},
            **{"file": "made", "position": key, "notes": []},
            "published_at": datetime.datetime(2020, 3, 1, tzinfo=datetime.UTC)
            + datetime.timedelta(days=key),
        }
        for key, (source, title, text) in enumerate(rows, first)
    ]
    return pa.RecordBatch.from_pylist(values, schema=ARTICLE)


def kept(batch):
    ruled = rule_lines(batch)
    return lines_to_keep(ruled, ruled_lines(ruled))


MIXED = articles(
    ("valley", "Bridge in Ashford falls", f"Log In\n{SLOGAN}\n{prose(1)}\n\n{SLOGAN}"),
    (None, None, ""),
    ("hills", "Two hurt in a fire", f"LYON (Hill Wire) - A fire.\n{prose(2)}"),
    ("hills", "Log in", "Log In"),
    ("valley", None, "\n".join(prose(seed) for seed in range(3, 103))),
)


def test_what_is_kept_gives_the_same_observations():
    ruled = rule_lines(MIXED)
    now = article_lines(ruled, ruled_lines(ruled))
    rows = kept(MIXED)
    assert rows.schema.equals(LINES)
    later = kept_lines(rows)
    keys = np.unique(article_keys(now))
    assert np.unique(article_keys(later)).tolist() == keys.tolist()
    for name in ("articles", "sources", "days", "titles", "agencies", "texts"):
        assert getattr(later, name).tolist() == getattr(now, name).tolist(), name
    short = np.array([1, 2, 3, 4], np.uint64)
    both = [observe_lines(lines, keys) for lines in (now, later)]
    first, second = (
        rows.filter(pa.array(np.isin(column(rows, "article_key"), short))) for rows in both
    )
    assert first.drop_columns(["words"]).equals(second.drop_columns(["words"]))
    assert both[0].num_rows == both[1].num_rows


def test_articles_without_a_date_have_none_later():
    undated = MIXED.set_column(
        MIXED.schema.get_field_index("published_at"),
        "published_at",
        pa.nulls(MIXED.num_rows, ARTICLE.field("published_at").type),
    )
    rows = kept(undated)
    assert rows.column("published_day").null_count == MIXED.num_rows
    ruled = rule_lines(undated)
    now = article_lines(ruled, ruled_lines(ruled))
    assert kept_lines(rows).days.tolist() == now.days.tolist()


def test_holders_share_a_line_a_title_or_an_agency():
    earlier = kept(
        articles(
            ("valley", "Bridge in Ashford falls", prose(1)),
            ("valley", None, f"{SLOGAN}\n{prose(2)}"),
            ("valley", None, f"LYON (Hill Wire) - A fire.\n{prose(3)}"),
            ("valley", None, prose(4)),
        )
    )
    new = articles(
        ("hills", None, f"{SLOGAN}\n{prose(5)}\nBridge in Ashford falls\nHill Wire"),
        first=9,
    )
    ruled = rule_lines(new)
    keys = np.unique(article_keys(article_lines(ruled, ruled_lines(ruled))))
    held, sources = holders(earlier, keys)
    assert column(held, "article_key").tolist() == [1, 2, 3]
    assert sources.num_rows == 1
    assert set(held_keys(held, keys).tolist()) < set(keys.tolist())
    assert len(held_keys(held, keys)) == 3


def test_of_many_holders_the_earliest_and_the_latest_are_given():
    earlier = kept(articles(*(("valley", None, f"{SLOGAN}\n{prose(n)}") for n in range(9))))
    slogan = kept_lines(earlier).keys[:1]
    held, _ = holders(earlier, slogan, most=4)
    assert column(held, "article_key").tolist() == [1, 2, 8, 9]
    known = recurring_table(np.stack((source_keys(pa.array(["valley"])), slogan), axis=1))
    held, _ = holders(earlier, slogan, known, most=4, most_known=2)
    assert column(held, "article_key").tolist() == [1, 9]


def test_titles_are_found_by_their_whole_text():
    earlier = kept(articles(("valley", "One title", prose(1)), ("hills", None, prose(1))))
    assert titles_by_text(None) == {}
    (found,) = titles_by_text(earlier).values()
    assert found == [(1, "One title"), (2, None)]


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_a_slogan_is_learnt_across_runs_as_in_one(cut):
    rows = [("valley", None, f"{SLOGAN}\n{prose(n)}") for n in range(5)]
    rows += [("hills", None, prose(n)) for n in range(5, 8)]
    whole = articles(*rows)
    first, second = whole.slice(0, cut), whole.slice(cut)
    at_once = learn_recurring([whole])
    learnt = learn_recurring([second], kept(first))
    if cut == 5:
        assert learnt.num_rows == 0
    else:
        assert learnt.equals(at_once)


def test_unlike_titles_of_one_text_are_judged_across_runs():
    junk = "\n".join(f"Win tickets for the autumn fair and great prizes {n}" for n in "abc")
    titles = ("Gunman flees after robbery", "Mayor opens swimming hall")
    rows = [(f"s{n}", title, junk) for n, title in enumerate(titles)]
    at_once = learn_recurring([articles(*rows)])
    assert at_once.num_rows == 1
    earlier = kept(articles(rows[0]))
    learnt = learn_recurring([articles(rows[1], first=2)], earlier)
    assert learnt.equals(at_once)
