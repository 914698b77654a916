"""Parsing: a raw row becomes an article: an id, a text, a source, a language, a time.

An id that is given is kept as it is, to the last blank and line end, so that the tables
can be joined with what the id was taken from; one of nothing but white space is none.
What is missing is derived, always in the same way, so that the same input has the same
ids in every run and on every machine:

* the text, title, time and site of a page from what the page holds;
* the title of a plain text from its first line, only where that is plainly one;
* the id from the url without what only tracks the reader, else from the file's name
  (without its folder: a corpus may move) and the row's content;
* the language from the title and the longest line, "und" where they do not tell;
* the time by dateparser where it is not ISO 8601. A number of two digits before another
  is read as the article's language writes it: 05/06/2025 is a day in May for English.

Nothing is fetched and nothing depends on the clock. A time that cannot be is dropped
and noted, since the time gap decides much of what is one story.

A batch is parsed column by column. Rows become Python values where something is missing
or out of order, which is rare.
"""

import dataclasses
import datetime
import functools
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import tldextract
import xxhash

from schemas.article import ARTICLE, REJECT, TIMESTAMP
from schemas.batch import Collections
from transforms.dates import is_plausible, published_time
from transforms.language import languages
from transforms.normalisation import (
    clean_text,
    clean_texts,
    content_keys,
    hashes,
    one_line,
    one_lines,
    utf8,
    with_values,
)
from transforms.pages import page_excess, read_page, split_title, without_title

PLAIN_TEXT = re.compile(r"\.txt(\.gz|\.zst)?$", re.I)

# What most urls are: the standard library takes ten times as long to say so.
ORDINARY_URL = re.compile(r"https?://([a-z0-9.-]+)(/[^?#\s]*)?(?:\?([^#\s]*))?(?:#\S*)?")
# Parameters of a url that say who reads it or whence, not what.
TRACKING = re.compile(
    r"utm_.*|mc_[ce]id|[a-z]*clid|igshid?|_hs(enc|mi)|ns_(campaign|mchannel|source|linkname)"
    r"|at_(medium|campaign)|cmpid|smid|smtyp|ocid|xtor|fb_(source|ref)|share(_id|d)?",
    re.I,
)
# The columns of RAW, normalised: one-line fields, text without nulls.
Columns: TypeAlias = dict[str, pa.Array]


def parse_articles(
    raw: pa.RecordBatch, *, latest: datetime.datetime
) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Make articles of raw rows.

    Args:
      raw: of schema RAW.
      latest: when the run takes place; what claims to be published more than two days
        after it loses its time.

    Returns:
      articles: of schema ARTICLE, in the order of the rows.
      rejects: of schema REJECT, the rows that have neither text nor title.
    """
    columns = dict(zip(raw.schema.names, raw.columns, strict=True))
    columns["id"] = _given_ids(columns["id"])
    columns["text"] = clean_texts(columns["text"])
    for name in ("url", "source", "published_at", "title"):
        columns[name] = one_lines(columns[name])
    columns |= _read_pages(columns, latest)
    columns |= _split_titles(columns)
    empty = pc.and_(pc.is_null(columns["title"]), pc.equal(columns["text"], ""))
    if not pc.any(empty).as_py():
        return _articles(columns, raw, latest), pa.RecordBatch.from_pylist([], REJECT)
    told = pc.invert(empty)
    return (
        _articles(_filtered(columns, told), raw.filter(told), latest),
        _rejects(_filtered(columns, empty), raw.filter(empty)),
    )


def _filtered(columns: Columns, mask: pa.BooleanArray) -> Columns:
    return {name: column.filter(mask) for name, column in columns.items()}


def _given_ids(ids: pa.Array) -> pa.Array:
    blank = pc.equal(clean_texts(ids), "")
    return pc.if_else(blank, pa.scalar(None, ids.type), ids)


def _read_pages(columns: Columns, latest: datetime.datetime) -> Columns:
    """Give the columns that a page may fill, with what the rows lacked and theirs tell."""
    names = ("title", "text", "published_at", "source")
    lacking = pc.equal(columns["text"], "")
    for name in ("title", "published_at", "source"):
        lacking = pc.or_(lacking, pc.is_null(columns[name]))
    rows = _places(pc.and_(lacking, _has_page(columns)))
    found: list[tuple[str | None, ...]] = []
    for html, *told in _rows(columns, ("html", *names), rows):
        title, text, written, source = told
        page = read_page(html, wants_text=not text, latest=latest)
        title = title or one_line(page.title)
        text = text or without_title(clean_text(page.text), title)
        source = source or one_line(page.source)
        found.append((title, text, written or page.published_at, source))
    filled = zip(names, zip(*found, strict=True), strict=True) if found else ()
    return {name: with_values(columns[name], rows, values) for name, values in filled}


def _split_titles(columns: Columns) -> Columns:
    """Give titles and texts with the titles of plain texts taken out of them."""
    untitled = pc.and_not(pc.is_null(columns["title"]), _has_page(columns))
    rows = _places(untitled)
    files = columns["file"].take(pa.array(rows)).to_pylist()
    rows = rows[[bool(PLAIN_TEXT.search(file)) for file in files]]
    if not len(rows):
        return {}
    split = [split_title(text) for (text,) in _rows(columns, ("text",), rows)]
    return {
        name: with_values(columns[name], rows, values)
        for name, values in zip(("title", "text"), zip(*split, strict=True), strict=True)
    }


def _has_page(columns: Columns) -> pa.BooleanArray:
    return pc.fill_null(pc.not_equal(columns["html"], ""), False)


def _places(mask: pa.BooleanArray) -> npt.NDArray[np.int64]:
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False))


def _rows(
    columns: Columns, names: tuple[str, ...], rows: npt.NDArray[np.int64]
) -> Iterator[tuple[Any, ...]]:
    """Give the values that some columns have in some rows."""
    place = pa.array(rows)
    return zip(*(columns[name].take(place).to_pylist() for name in names), strict=True)


def _articles(
    columns: Columns, raw: pa.RecordBatch, latest: datetime.datetime
) -> pa.RecordBatch:
    """Make rows of ARTICLE of normalised columns and the raw rows they were."""
    ids = _article_ids(columns, raw)
    codes = languages(columns["language"], columns["title"], columns["text"])
    times: list[datetime.datetime | None] = []
    notes: list[list[str]] = []
    written = columns["published_at"].to_pylist()
    repaired = columns["repaired"].to_pylist()
    for date, language, is_repaired in zip(
        written, codes.to_pylist(), repaired, strict=True
    ):
        noted = ["repaired_encoding"] if is_repaired else []
        time = published_time(date, language) if date else None
        if date and time is None:
            noted.append("unreadable_date")
        if time is not None and not is_plausible(time, latest):
            noted.append("implausible_date")
            time = None
        times.append(time)
        notes.append(noted)
    made = columns | {
        "article_key": pa.array(hashes(*utf8(ids))),
        "article_id": ids,
        "source": _sources(columns),
        "published_at": pa.array(times, TIMESTAMP),
        "language": codes,
        "content_key": pa.array(content_keys(columns["title"], columns["text"])),
        "notes": pa.array(notes, ARTICLE.field("notes").type),
    }
    return pa.RecordBatch.from_arrays(
        [made[name] for name in ARTICLE.names], schema=ARTICLE
    )


def _rejects(columns: Columns, raw: pa.RecordBatch) -> pa.RecordBatch:
    """Make rows of REJECT of rows that have neither text nor title."""
    found: list[dict[str, object]] = []
    for row, given_id, url in zip(
        raw.to_pylist(), columns["id"].to_pylist(), columns["url"].to_pylist(), strict=True
    ):
        address = identifying_url(url) if url else None
        field = "text" if row["html"] is None else "html"
        length = len(row[field] or "")
        excess = page_excess(row["html"]) if row["html"] else None
        found.append(
            {
                "file": row["file"],
                "position": row["position"],
                "article_id": given_id or (article_hash(address) if address else None),
                "reason": "too_long" if excess else "no_text",
                "detail": excess
                or f"neither text nor title in {length:,} characters of {field}",
            }
        )
    return pa.RecordBatch.from_pylist(found, schema=REJECT)


def _article_ids(columns: Columns, raw: pa.RecordBatch) -> pa.Array:
    """Give the ids of articles: given, of the url or of the content."""
    rows = _places(pc.is_null(columns["id"]))
    derived: list[str | None] = []
    for row, (url,) in zip(rows, _rows(columns, ("url",), rows), strict=True):
        address = identifying_url(url) if url else None
        derived.append(article_hash(_content(raw, row) if address is None else address))
    return with_values(columns["id"], rows, derived)


def _content(raw: pa.RecordBatch, row: int) -> str:
    """Give what tells a row without id and url from others.

    The folder is left out, so that a corpus keeps its ids when it moves; the name is
    not, so that the same text in two files is two articles.
    """
    name = raw.column("file")[row].as_py().rpartition("/")[2]
    texts = (raw.column(field)[row].as_py() or "" for field in ("title", "text", "html"))
    return "\0".join((name, *texts))


def _sources(columns: Columns) -> pa.Array:
    """Give the sources, of the url where none is given."""
    missing = pc.and_(pc.is_null(columns["source"]), pc.is_valid(columns["url"]))
    rows = _places(missing)
    sites = [site(url) for (url,) in _rows(columns, ("url",), rows)]
    return with_values(columns["source"], rows, sites)


def article_hash(text: str) -> str:
    """Give the id of an article that was given none: 32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(text.encode())


def identifying_url(url: str) -> str | None:
    """Give what of a url says which article it is; None if it names no single one.

    Written here and not taken from a library, since stored ids hang on it: scheme, user,
    port, "www.", fragment and parameters that track the reader do not count.

    >>> identifying_url("https://www.Example.com:443/a/b/?utm_source=x&id=7#top")
    'example.com/a/b?id=7'
    """
    host, path, query = url_parts(url)
    host, path = host.removeprefix("www."), path.rstrip("/")
    query = "&".join(
        parameter
        for parameter in query.split("&")
        if parameter and not TRACKING.fullmatch(parameter.partition("=")[0])
    )
    # A front page is where many articles were found, and is none of them.
    if "." not in host or " " in host or not (path or query):
        return None
    return f"{host}{path}?{query}" if query else f"{host}{path}"


def url_parts(url: str) -> tuple[str, str, str]:
    """Give host, path and query of a url; nothing if it is none."""
    if ordinary := ORDINARY_URL.fullmatch(url):
        host, path, query = ordinary.groups(default="")
        return host, path, query
    try:
        parts = urllib.parse.urlsplit(url if "://" in url else f"//{url}")
        return parts.hostname or "", parts.path, parts.query
    except ValueError:
        return "", "", ""


@functools.cache
def _suffixes() -> tldextract.TLDExtract:
    # The list of public suffixes that the package brings: no network, no cache folder.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@functools.lru_cache(maxsize=65_536)
def _registrable_domain(host: str) -> str:
    return _suffixes()(host).top_domain_under_public_suffix or host


def site(url: str) -> str | None:
    """Give the registrable domain of a url, its host where there is none, or None.

    >>> site("https://news.bbc.co.uk/2025/story")
    'bbc.co.uk'
    """
    host, _, _ = url_parts(url)
    return _registrable_domain(host) if "." in host and " " not in host else None


# Beam looks the coder of a tagged output up by this.
Tagged: TypeAlias = (
    beam.pvalue.TaggedOutput[Literal["articles"], pa.RecordBatch]
    | beam.pvalue.TaggedOutput[Literal["rejects"], pa.RecordBatch]
)


@dataclasses.dataclass(eq=False)
class ParseArticles(beam.PTransform):
    """Make articles of raw rows: `articles` (of ARTICLE) and `rejects` (of REJECT).

    Attributes:
      latest: when the run takes place, in UTC; later articles lose their time.
    """

    latest: datetime.datetime

    def expand(self, raw: beam.PCollection[pa.RecordBatch]) -> Collections:
        """Parse batch by batch."""
        outputs = raw | "Parse" >> beam.ParDo(self._parse).with_outputs(
            "articles", "rejects"
        )
        return {"articles": outputs["articles"], "rejects": outputs["rejects"]}

    def _parse(self, raw: pa.RecordBatch) -> Iterator[Tagged]:
        articles, rejects = parse_articles(raw, latest=self.latest)
        if articles.num_rows:
            yield beam.pvalue.TaggedOutput("articles", articles)
        if rejects.num_rows:
            yield beam.pvalue.TaggedOutput("rejects", rejects)
