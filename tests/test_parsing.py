import datetime
import socket
import urllib.parse
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.article import ARTICLE, RAW, REJECT
from transforms.dates import is_plausible, published_time
from transforms.parsing import (
    ParseArticles,
    identifying_url,
    parse_articles,
    site,
    url_parts,
)

UTC = datetime.UTC
LATEST = datetime.datetime(2025, 6, 1, tzinfo=UTC)
STORY = (
    "The old bridge over the Lorn was closed on Friday morning after an inspection found "
    "cracks in two of its piers, the county said."
)
MORE = (
    "Buses are sent around by the ring road until further notice, and the county expects "
    "the repair to take most of the summer."
)


def raw(*rows: dict[str, Any]) -> pa.RecordBatch:
    empty = dict.fromkeys(RAW.names) | {"file": "in.jsonl", "repaired": False}
    numbered = [empty | {"position": place} | row for place, row in enumerate(rows, 1)]
    return pa.RecordBatch.from_pylist(numbered, schema=RAW)


def parsed(**row: Any) -> dict[str, Any]:
    articles, rejects = parse_articles(raw(row), latest=LATEST)
    assert not rejects.num_rows
    (article,) = articles.to_pylist()
    return article


def test_given_fields_are_kept() -> None:
    article = parsed(
        id="a1",
        url="https://www.lornpost.example/news/bridge",
        source="Lorn Post",
        published_at="2025-05-16T15:04:00-04:00",
        title=" Bridge\n closed ",
        text=STORY,
        language="en-GB",
    )
    assert article["article_id"] == "a1"
    assert article["url"] == "https://www.lornpost.example/news/bridge"
    assert article["source"] == "Lorn Post"
    assert article["published_at"] == datetime.datetime(2025, 5, 16, 19, 4, tzinfo=UTC)
    assert article["title"] == "Bridge closed"
    assert article["text"] == STORY
    assert article["language"] == "en"
    assert article["notes"] == []


@pytest.mark.parametrize("given", [" a1 ", "a\nb", "a  b", "a\r\n", "x&amp;y", "e\u0301"])
def test_given_id_is_kept_as_it_is(given: str) -> None:
    assert parsed(id=given, text=STORY)["article_id"] == given
    _, rejects = parse_articles(raw({"id": given}), latest=LATEST)
    assert rejects.column("article_id").to_pylist() == [given]


@pytest.mark.parametrize("given", ["", " \n", "\0", "\u2003"])
def test_id_of_nothing_to_see_is_none(given: str) -> None:
    assert parsed(id=given, text=STORY)["article_id"] == parsed(text=STORY)["article_id"]


def test_ids_and_keys_are_stable_across_releases() -> None:
    """Stored tables hang on them: a change here is a change of every stored id."""
    by_url = parsed(url="https://lornpost.example/bridge?utm_source=x", text="Rain")
    assert by_url["article_id"] == "f156964da7d76e8e3818fa5b56804e8d"
    by_file = parsed(file="in/a.txt", text="Rain")
    assert by_file["article_id"] == "53d76b193e24ac08414d84d4892b8a6e"
    assert by_file["article_key"] == 3897626584741663586
    assert by_file["content_key"] == 9315583560473483310


def test_row_without_id_and_url_keeps_its_id_when_the_folder_moves() -> None:
    one = parsed(file="a/b/x.txt", text="Rain")
    assert parsed(file="gs://c/x.txt", text="Rain")["article_id"] == one["article_id"]
    assert parsed(file="a/b/y.txt", text="Rain")["article_id"] != one["article_id"]
    assert parsed(file="a/b/x.txt", text="Sun")["article_id"] != one["article_id"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://www.Example.com:80/a/?utm_source=x&UTM_medium=y#part", "example.com/a"),
        ("https://example.com/a?id=7&fbclid=z&page=2", "example.com/a?id=7&page=2"),
        ("example.com/a/", "example.com/a"),
        ("https://user:secret@example.com/a", "example.com/a"),
        ("https://example.com/Case", "example.com/Case"),
        ("https://example.com/?p=12", "example.com?p=12"),
        ("https://example.com/", None),
        ("https://example.com/?utm_source=x", None),
        ("n/a", None),
        ("http://[broken", None),
        ("no url at all / really", None),
    ],
)
def test_url_identifies_by_what_names_the_article(url: str, expected: str | None) -> None:
    assert identifying_url(url) == expected


def test_front_page_as_url_does_not_make_one_article_of_many() -> None:
    articles, _ = parse_articles(
        raw(*({"url": "https://lornpost.example/", "text": text} for text in "ab")),
        latest=LATEST,
    )
    assert len(set(articles.column("article_id").to_pylist())) == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://news.bbc.co.uk/a", "bbc.co.uk"),
        ("http://WWW.Lornpost.com:80/a", "lornpost.com"),
        ("lornpost.com/a", "lornpost.com"),
        ("http://127.0.0.1/a", "127.0.0.1"),
        ("http://localhost/a", None),
        ("n/a", None),
        ("http://[broken", None),
    ],
)
def test_site_is_the_registrable_domain(
    url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the suffix list must not be fetched")

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert site(url) == expected


def test_source_is_given_or_the_site_of_the_url_or_unknown() -> None:
    url = "https://www.lornpost.com/a"
    assert parsed(url=url, text="a", source=" Lorn  Post ")["source"] == "Lorn Post"
    assert parsed(url=url, text="a", source=" ")["source"] == "lornpost.com"
    assert parsed(text="a")["source"] is None


def test_row_without_text_and_title_is_rejected() -> None:
    articles, rejects = parse_articles(
        raw(
            {"id": "a", "text": " \n"},
            {"title": "Bridge closed", "text": None},
            {"title": "\0", "url": "https://lornpost.com/a"},
            {"html": "<html><body></body></html>"},
        ),
        latest=LATEST,
    )
    assert articles.schema.equals(ARTICLE)
    assert rejects.schema.equals(REJECT)
    (headline,) = articles.to_pylist()
    assert (headline["title"], headline["text"]) == ("Bridge closed", "")
    assert [row["position"] for row in rejects.to_pylist()] == [1, 3, 4]
    assert {row["reason"] for row in rejects.to_pylist()} == {"no_text"}
    first, by_url, page = rejects.to_pylist()
    assert first["article_id"] == "a"
    assert (
        by_url["article_id"] == parsed(url="https://lornpost.com/a", text="x")["article_id"]
    )
    assert page["article_id"] is None
    assert "26 characters of html" in page["detail"]
    assert first["detail"] == "neither text nor title in 2 characters of text"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2025-05-16", "2025-05-16T00:00"),
        ("2025-05-16T15:04:00", "2025-05-16T15:04"),
        ("2025-05-16T15:04:00.123Z", "2025-05-16T15:04:00.123"),
        ("2025-05-16 15:04 +0200", "2025-05-16T13:04"),
        ("2025-05-16T15:04:00+02:00[Europe/Paris]", "2025-05-16T13:04"),
        ("2025-05-16 15:04:00.000000001Z", "2025-05-16T15:04"),
        ("20250516", "2025-05-16T00:00"),
        ("20250516T150400Z", "2025-05-16T15:04"),
        ("1747407840", "2025-05-16T15:04"),
        ("1747407840.5", "2025-05-16T15:04"),
        ("1747407840123", "2025-05-16T15:04:00.123"),
        ("Fri, 16 May 2025 15:04:00 +0200", "2025-05-16T13:04"),
        ("Fri, 16 May 2025 15:04:00 EST", "2025-05-16T20:04"),
        ("Fri May 16 15:04:00 +0000 2025", "2025-05-16T15:04"),
        ("May 16, 2025 3:04 PM EDT", "2025-05-16T19:04"),
        ("Updated: May 16, 2025 at 3:04 p.m. ET", "2025-05-16T19:04"),
        ("Jan. 16, 2025, 3:04 p.m. ET", "2025-01-16T20:04"),
        ("16.05.2025", "2025-05-16T00:00"),
        ("05.06.2025", "2025-06-05T00:00"),
        ("16. Mai 2025", "2025-05-16T00:00"),
        ("Publié le 16 mai 2025 à 15h04", "2025-05-16T15:04"),
        ("16 de mayo de 2025", "2025-05-16T00:00"),
        ("2025年5月16日", "2025-05-16T00:00"),
    ],
)
def test_dates_are_read_as_the_world_writes_them(written: str, expected: str) -> None:
    time = datetime.datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert published_time(written) in (time, time + datetime.timedelta(seconds=0.5))


@pytest.mark.parametrize(
    "written",
    [
        *("yesterday", "2 hours ago", "Posted by Ann", "Friday", "May 2025", "2025", "0"),
        *("0000-00-00 00:00:00", "2025-02-30", "12:30", "nan", "+1 555 010 9999", "-5"),
        *("", "x" * 999),
    ],
)
def test_what_is_no_whole_date_gives_none(written: str) -> None:
    assert published_time(written) is None


@given(st.text(max_size=30) | st.from_regex(r"[0-9TZ:. +-]{1,30}", fullmatch=True))
def test_any_text_is_read_or_refused(written: str) -> None:
    time = published_time(written)
    assert time is None or time.tzinfo is UTC or time.utcoffset() == datetime.timedelta()


@given(st.datetimes(timezones=st.timezones(no_cache=False)))
def test_iso_dates_are_read_as_python_writes_them(time: datetime.datetime) -> None:
    whole = time.replace(microsecond=0)
    offset = whole.utcoffset()
    if offset and offset % datetime.timedelta(minutes=1):
        return
    try:
        expected = whole.astimezone(UTC)
    except OverflowError:
        return
    assert published_time(whole.isoformat()) == expected


def test_language_decides_which_number_is_the_month() -> None:
    assert published_time("05/06/2025", "en") == datetime.datetime(2025, 5, 6, tzinfo=UTC)
    assert published_time("05/06/2025", "fr") == datetime.datetime(2025, 6, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ("0019-05-16", "implausible_date"),
        ("1899-12-31", "implausible_date"),
        ("2025-06-03T00:00:01Z", "implausible_date"),
        ("2999-01-01", "implausible_date"),
        ("9999-12-31T23:59:59-10:00", "implausible_date"),
        ("yesterday", "unreadable_date"),
    ],
)
def test_date_that_cannot_be_is_dropped_and_noted(written: str, note: str) -> None:
    article = parsed(text="a", published_at=written, repaired=True)
    assert article["published_at"] is None
    assert article["notes"] == ["repaired_encoding", note]


def test_date_may_lie_two_days_ahead() -> None:
    assert is_plausible(LATEST + datetime.timedelta(days=2), LATEST)
    assert parsed(text="a", published_at="2025-06-02")["notes"] == []


PAGE = f"""<?xml version="1.0" encoding="iso-8859-1"?><!DOCTYPE html><html><head>
<title>Bridge closed - The Lorn Post</title>
<meta property="og:title" content="Bridge closed">
<meta property="og:site_name" content="The Lorn Post">
<meta property="article:published_time" content="2025-05-16T15:04:00-04:00">
<meta property="article:modified_time" content="2025-05-18T09:00:00-04:00">
</head><body><nav><a href="/">Home</a> <a href="/n">News</a></nav>
<article><h1>Bridge closed</h1><p>{STORY}</p><p>{MORE}</p></article>
<footer>Copyright 2019</footer></body></html>"""


def test_page_gives_text_title_time_and_site() -> None:
    article = parsed(html=PAGE)
    assert article["title"] == "Bridge closed"
    assert article["text"] == f"{STORY}\n{MORE}"
    assert article["source"] == "The Lorn Post"
    assert article["published_at"] == datetime.datetime(2025, 5, 16, 19, 4, tzinfo=UTC)


def test_page_fills_only_what_is_missing() -> None:
    article = parsed(
        html=PAGE,
        title="Given",
        text="Given text",
        source="given",
        published_at="2025-05-20",
    )
    assert (article["title"], article["text"]) == ("Given", "Given text")
    assert article["source"] == "given"
    assert article["published_at"].day == 20
    assert parsed(html=PAGE, text="Given text")["title"] == "Bridge closed"
    assert parsed(html=PAGE, text="Given text")["text"] == "Given text"


@pytest.mark.parametrize("html", ["<" * 1_000, "no page", "<p>" * 5_000, "\ufeff<html/>"])
def test_wild_page_is_no_error(html: str) -> None:
    articles, rejects = parse_articles(raw({"html": html}), latest=LATEST)
    assert articles.num_rows + rejects.num_rows == 1


def test_title_is_looked_for_in_plain_text_files_alone() -> None:
    text = f"Lorn bridge closed for repair\n\n{STORY}"
    assert parsed(file="a.TXT", text=text)["title"] == "Lorn bridge closed for repair"
    assert parsed(file="a.txt.gz", text=text)["text"] == STORY
    assert parsed(file="a.jsonl", text=text)["title"] is None
    assert parsed(file="a.txt", text=text, title="Given")["text"] == text


def test_rows_keep_their_order_and_place() -> None:
    batch = raw(*({"id": str(number), "text": "a"} for number in (3, 1, 2)))
    articles, _ = parse_articles(batch, latest=LATEST)
    assert articles.column("article_id").to_pylist() == ["3", "1", "2"]
    assert articles.column("position").to_pylist() == [1, 2, 3]


def test_transform_agrees_with_function(
    apply: Callable[..., dict[str, list[Any]]],
) -> None:
    batch = raw({"id": "a", "text": STORY}, {"id": "b"}, {"id": "c", "title": "Bridge"})
    outputs = apply(ParseArticles(latest=LATEST), [batch])
    articles, rejects = parse_articles(batch, latest=LATEST)
    assert outputs == {"articles": [articles], "rejects": [rejects]}


URLS = st.from_regex(
    r"https?://[a-z0-9.-]{1,12}(/[a-zA-Zé;%./ -]{0,9}){0,3}(\?[a-z=&?/]{0,9})?(#.{0,3})?",
    fullmatch=True,
)


@given(URLS)
def test_ordinary_url_is_split_as_the_standard_library_splits_it(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    assert url_parts(url) == (parts.hostname or "", parts.path, parts.query)


def test_rows_are_parsed_together_as_they_are_alone() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "text": STORY, "title": " Rain\n ", "published_at": "2025-05-16"},
        {"url": "https://lornpost.com/a?utm_source=x", "text": "a\r\nb"},
        {"text": "Mr. G&#39;s", "source": "Lorn  Post", "published_at": "yesterday"},
        {"html": PAGE, "title": "Given", "repaired": True},
        {"html": PAGE, "url": "https://lornpost.com/", "language": "fr"},
        {"text": " ", "id": "empty"},
        {"html": "", "file": "a.txt", "text": f"Lorn bridge closed for repair\n\n{MORE}"},
        {"id": " ", "title": "Cafe\u0301", "published_at": "2999-01-01"},
    ]
    together = parse_articles(raw(*rows), latest=LATEST)
    numbered = [row | {"position": place} for place, row in enumerate(rows, 1)]
    alone = [parse_articles(raw(row), latest=LATEST) for row in numbered]
    for number, batch in enumerate(together):
        expected = [row for parts in alone for row in parts[number].to_pylist()]
        assert batch.to_pylist() == expected
        batch.validate(full=True)
