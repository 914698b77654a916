import datetime
import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.fact_words import read_facts
from transforms.facts import article_days, event_days, posted_days, url_days
from transforms.marks import mark_tokens
from transforms.tokens import tokenize

# A Wednesday.
TODAY = datetime.date(2015, 11, 18)
EPOCH = datetime.date(1970, 1, 1)


def facts(*texts):
    array = pa.array(texts, pa.string())
    return read_facts(mark_tokens(array, tokenize(array)))


def days_of(text, today=TODAY, **limits):
    """The days a text places its event on, but for those of its publication."""
    known = None if today is None else (today - EPOCH).days
    days, offsets = event_days(facts(text), pa.array([known], pa.int32()), **limits)
    assert offsets.tolist() == [0, len(days)]
    found = {EPOCH + datetime.timedelta(int(day)) for day in days}
    if today is not None:
        assert {today, today - datetime.timedelta(1)} <= found
        found -= {today, today - datetime.timedelta(1)}
    return sorted(str(day) for day in found)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("He was shot on Nov. 3, 2014, near the pier.", "2014-11-03"),
        ("He was shot on November 3rd 2014.", "2014-11-03"),
        ("on the 3rd of November 2014 in Leeds", "2014-11-03"),
        ("It began on 3 November 2014.", "2014-11-03"),
        ("Filed 2014-11-03 at noon", "2014-11-03"),
        ("Filed 2014-11-03T09:15:00Z", "2014-11-03"),
        ("Filed 11/23/2014 by the clerk", "2014-11-23"),
        ("am 3. November 2014 in Kiel", "2014-11-03"),
        ("am 03.11.2014 in Kiel", "2014-11-03"),
        ("im Werk am 3. März 2014", "2014-03-03"),
        ("le 3 novembre 2014 à Lille", "2014-11-03"),
        ("le 1er août 2014 à Lille", "2014-08-01"),
        ("el 3 de noviembre de 2014 en Lugo", "2014-11-03"),
        ("em 3 de novembro de 2014, no Porto", "2014-11-03"),
        ("il 3 novembre 2014 a Bari", "2014-11-03"),
        ("op 3 november 2014 in Breda", "2014-11-03"),
        ("3 ноября 2014 года", "2014-11-03"),
        ("في 3 نوفمبر 2014", "2014-11-03"),
        ("في ٣ نوفمبر ٢٠١٤", "2014-11-03"),
        ("事件发生在2014年11月3日晚上", "2014-11-03"),
        ("2014년 11월 3일 밤", "2014-11-03"),
    ],
)
def test_a_date_with_a_year_needs_no_article_day(text, day):
    assert days_of(text, today=None) == [day]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("The hearing is on Dec. 3.", "2015-12-03"),
        ("She vanished Dec. 30 on her way home.", "2014-12-30"),
        ("She vanished on Jan. 5.", "2015-01-05"),
        ("Er starb am 2. Oktober.", "2015-10-02"),
        ("Elle est morte le 2 octobre.", "2015-10-02"),
        ("Murió el 2 de octubre.", "2015-10-02"),
        ("他于10月2日去世", "2015-10-02"),
        ("Posted 11/10/15 by the desk", "2015-11-10"),
    ],
)
def test_a_date_without_a_year_is_the_nearest_not_far_ahead(text, day):
    assert days_of(text) == [day]


def test_how_far_ahead_a_date_may_lie_is_a_setting():
    assert days_of("The hearing is on Dec. 30.", max_days_ahead=60) == ["2015-12-30"]


def test_leap_day_without_a_year_is_that_of_a_leap_year():
    today = datetime.date(2016, 3, 2)
    assert days_of("It broke on Feb. 29.", today=today) == ["2016-02-29"]
    assert days_of("It broke on Feb. 29, 2015.", today=today) == []


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("He fell on Monday evening.", "2015-11-16"),
        ("He fell on Thursday evening.", "2015-11-12"),
        ("Er stürzte am Montag.", "2015-11-16"),
        ("Er stürzte am Montagabend.", "2015-11-16"),
        ("Il est tombé lundi soir.", "2015-11-16"),
        ("Cayó el lunes por la noche.", "2015-11-16"),
        ("他星期一摔倒了", "2015-11-16"),
        ("月曜日に転んだ", "2015-11-16"),
    ],
)
def test_a_weekday_is_the_latest_not_after_the_article(text, day):
    assert days_of(text) == [day]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("云泽市13日晚发生火灾", "2015-11-13"),
        ("会议20日在云泽举行", "2015-10-20"),
        ("11月2日通报，30日发生火灾", "2015-10-30"),
        ("13日に火事があった", "2015-11-13"),
    ],
)
def test_a_chinese_day_without_a_month_is_the_latest_such_day(text, day):
    assert day in days_of(text)


@pytest.mark.parametrize("text", ["3日内完成", "3日間続いた", "43日", "19号公路3分"])
def test_spans_of_days_and_other_numbers_are_no_day(text):
    assert days_of(text) == []


def test_a_lone_day_of_an_undated_article_says_nothing():
    assert days_of("云泽市13日晚发生火灾", today=None) == []


def test_todays_weekday_is_today():
    assert days_of("It happened on Wednesday.") == []


def test_a_weekday_beside_a_date_is_that_date():
    assert days_of("on Friday, Nov. 6, in Ohio") == ["2015-11-06"]
    assert days_of("am Freitag, 6. November, in Ulm") == ["2015-11-06"]
    assert days_of("el viernes 6 de noviembre en Lugo") == ["2015-11-06"]


@pytest.mark.parametrize(
    "text",
    [
        "Call 555-03-2014 or 412-263-1438.",
        "They won 3-2 and lost 4-5-2014-7.",
        "It costs $3.11 or 11/2 of that.",
        "The council may 3 times refuse; we march 10 miles.",
        "In March 3,000 people and in April 3.5 million came.",
        "Open daily at Nov 3:30 sharp.",
        "Theresa May 2016 campaign",
        "Version 3.11.2 of 2014-13-45",
        "The Sunday Times said; see you next Monday; Black Friday sales.",
        "el may 3 sun sat mon",
        "on Feb. 30, 2014 and Nov. 31",
        "In 2014, in June 2013 and in March.",
    ],
)
def test_no_day_is_read_from(text):
    assert days_of(text) == []


def test_order_of_day_and_month_is_that_nearer_to_the_article():
    assert days_of("on 10/11/2015 here") == ["2015-11-10"]
    assert days_of("on 11/10/2015 here") == ["2015-11-10"]
    assert days_of("on 11/25/2014 here") == ["2014-11-25"]
    assert days_of("on 25/11/2014 here") == ["2014-11-25"]
    assert days_of("on 10/11/2015 here", today=None) == []


def test_without_an_article_day_weekdays_and_yearless_dates_say_nothing():
    assert days_of("on Monday and on Nov. 3", today=None) == []


def test_first_days_of_each_kind_count():
    text = "Nov. 1, Nov. 2, Nov. 3 and Monday, Sunday, Saturday"
    assert days_of(text, max_days=2) == [
        "2015-11-01",
        "2015-11-02",
        "2015-11-15",
        "2015-11-16",
    ]


def test_a_day_far_ahead_is_no_event():
    assert days_of("due by Nov. 3, 2026") == []


def test_rows_do_not_touch_each_other():
    texts = facts("on Nov.", "3, 2014 and on", None, "Nov. 3, 2014")
    days, offsets = event_days(texts, pa.array([None] * 4, pa.int32()))
    assert offsets.tolist() == [0, 0, 0, 0, 1]
    assert days.tolist() == [(datetime.date(2014, 11, 3) - EPOCH).days]


@given(
    st.dates(datetime.date(1990, 1, 1), datetime.date(2100, 12, 31)),
    st.sampled_from(["%B %d, %Y", "%d %b. %Y", "%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d"]),
)
def test_a_written_date_is_read_back(date, form):
    assert days_of(f"It was {date.strftime(form)} then.", today=None) == [str(date)]


@given(
    st.dates(datetime.date(1992, 1, 1), datetime.date(2099, 12, 31)),
    st.integers(0, 6),
)
def test_weekday_and_article_are_less_than_a_week_apart(today, ago):
    day = today - datetime.timedelta(ago)
    expected = [str(day)] if ago > 1 else []
    assert days_of(f"It broke on {day.strftime('%A')}.", today=today) == expected


@given(st.lists(st.text(alphabet="0123456789 /.-:,$()NovMaymarz年月日\n", max_size=60)))
def test_any_text_gives_ascending_distinct_days(texts):
    days, offsets = event_days(
        facts(*texts), pa.array([(TODAY - EPOCH).days] * len(texts), pa.int32())
    )
    for first, last in itertools.pairwise(offsets):
        assert np.all(np.diff(days[first:last]) > 0)


@pytest.mark.parametrize(
    ("url", "day"),
    [
        ("http://example.org/2015/11/03/shots-fired/", "2015-11-03"),
        ("http://example.org/us/2015/nov/3/shots", "2015-11-03"),
        ("http://example.org/2015-11-03/news", "2015-11-03"),
        ("http://example.org/2015/11/shots", None),
        ("http://example.org/story/2015113/x", None),
        ("http://example.org/2015/13/41/x", None),
        ("http://example.org/2015/11/031", None),
        (None, None),
    ],
)
def test_day_in_a_url(url, day):
    (found,) = url_days(pa.array([url], pa.string())).to_pylist()
    assert found == (
        None if day is None else (datetime.date.fromisoformat(day) - EPOCH).days
    )


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Posted: Tuesday, November 3, 2015\nA man", "2015-11-03"),
        ("Updated: 01/26/2015 10:24 PM\nPosted: 01/25/2015", "2015-01-25"),
        ("Veröffentlicht am 3. November 2015", "2015-11-03"),
        ("Posted 3:57 pm, July 15, 2018, by a reader", "2018-07-15"),
        ("Published 18 hours ago", None),
        ("It was November 3, 2015.", None),
        ("word " * 400 + "Posted: November 3, 2015", None),
    ],
)
def test_day_that_the_text_says_it_was_posted_on(text, day):
    (found,) = posted_days(facts(text)).to_pylist()
    expected = None if day is None else (datetime.date.fromisoformat(day) - EPOCH).days
    assert found == expected


def test_day_of_an_article_is_the_earliest_that_is_plausible():
    published = pa.array(
        [datetime.datetime(2017, 1, 29, 23, 59, tzinfo=datetime.UTC)] * 3 + [None, None],
        pa.timestamp("us", tz="UTC"),
    )
    urls = pa.array(
        [
            "http://example.org/2015/01/26/x",
            "http://example.org/1903/01/26/x",
            None,
            "http://example.org/2015/01/26/x",
            None,
        ]
    )
    texts = facts("A text", "A text", "Posted: Jan. 25, 2015", None, "")
    days = article_days(published, urls, texts).to_pylist()
    dates = ["2015-01-26", "2017-01-29", "2015-01-25", "2015-01-26"]
    assert days == [(datetime.date.fromisoformat(d) - EPOCH).days for d in dates] + [None]


def test_day_before_1970_is_a_whole_day():
    times = pa.array([datetime.datetime(1969, 12, 31, 12)], pa.timestamp("us", tz="UTC"))
    assert article_days(times, pa.array([None], pa.string()), facts("x")).to_pylist() == [
        -1
    ]
