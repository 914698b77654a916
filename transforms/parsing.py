"""Parsing: a raw row becomes an article: an id, a text, a source, a language, a time.

An id that is given is kept as it is, to the last blank and line end, so that the tables
can be joined with what the id was taken from; one of nothing but white space is none.
What is missing is derived, always in the same way, so that the same input has the same
ids in every run and on every machine:

* the text, title, time and site of a page by trafilatura (Barbaresi, 2021);
* the title of a plain text from its first line, only where that is plainly one;
* the id from the url without what only tracks the reader, else from the file's name
  (without its folder: a corpus may move) and the row's content;
* the language by py3langid, after Lui and Baldwin's langid.py (2012), "und" where it is
  not sure;
* the time by dateparser where it is not ISO 8601. A number of two digits before another
  is read as the article's language writes it: 05/06/2025 is a day in May for English.

Nothing is fetched and nothing depends on the clock. A time that cannot be is dropped
and noted, since the time gap decides much of what is one story.
"""

import dataclasses
import datetime
import functools
import html
import logging
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import apache_beam as beam
import pyarrow as pa
import tldextract
import xxhash
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from schemas.article import ARTICLE, REJECT
from schemas.batch import Collections
from transforms.dates import is_plausible, published_time

# A page above this takes the extractor minutes; none that is an article is so long.
MAX_HTML_CHARACTERS = 5_000_000

LANGUAGE_CHARACTERS = 400
MIN_LETTERS = 20
MIN_LANGUAGE_PROBABILITY = 0.3
# What ISO 639-1 has several codes for, or had.
LANGUAGE_ALIASES = {"nb": "no", "nn": "no", "iw": "he", "in": "id", "ji": "yi", "mo": "ro"}
IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

PLAIN_TEXT = re.compile(r"\.txt(\.gz|\.zst)?$", re.I)

# Parameters of a url that say who reads it or whence, not what.
TRACKING = re.compile(
    r"utm_.*|mc_[ce]id|[a-z]*clid|igshid?|_hs(enc|mi)|ns_(campaign|mchannel|source|linkname)"
    r"|at_(medium|campaign)|cmpid|smid|smtyp|ocid|xtor|fb_(source|ref)|share(_id|d)?",
    re.I,
)
# What ends a line beside "\n"; the first must come first.
LINE_ENDS = ("\r\n", "\r", "\v", "\f", "\u2028", "\u2029")

# A first line that is no title: the buttons, dates and credits that open a scraped page.
OPENING_FURNITURE = re.compile(
    r"^(log ?in|sign (in|up|out)|register|subscribe|menu|home|search|share|skip to|close"
    r"|news|world|loading|print|follow|\d+ (min|hour|day)s?|exclusive|live"
    r"|opinion|cookies?|accept|the latest)\W*$"
    r"|advert|e-?mail|facebook|twitter|javascript|notification|newsletter|copyright"
    r"|getty|\bphoto\b|photograph|\bcaption\b|\bimages?\b|sign in|subscribe now|skip to"
    r"|(published|updated|posted)( on| at| \d|:)|\d:\d\d|\d (min|hour|day)s? |@\w|\|"
    r"|^by (?-i:[A-Z])",
    re.I,
)
MAX_FURNITURE_WORDS = 12


class Extract(NamedTuple):
    """What a page holds; each null if it is not found."""

    text: str | None = None
    title: str | None = None
    published_at: str | None = None
    source: str | None = None


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
    articles: list[dict[str, object]] = []
    rejects: list[dict[str, object]] = []
    for row in raw.to_pylist():
        article = parsed_article(row, latest)
        (articles if "article_key" in article else rejects).append(article)
    return (
        pa.RecordBatch.from_pylist(articles, schema=ARTICLE),
        pa.RecordBatch.from_pylist(rejects, schema=REJECT),
    )


def parsed_article(row: dict[str, Any], latest: datetime.datetime) -> dict[str, object]:
    """Make one row of ARTICLE, or of REJECT, of one of RAW."""
    title, text = one_line(row["title"]), clean_text(row["text"])
    written, source = one_line(row["published_at"]), one_line(row["source"])
    if row["html"] and not (title and text and written and source):
        page = read_page(row["html"], wants_text=not text, latest=latest)
        title = title or page.title
        text = text or without_title(page.text or "", title)
        written, source = written or page.published_at, source or page.source
    elif title is None and PLAIN_TEXT.search(row["file"]):
        title, text = split_title(text)
    url, given_id = one_line(row["url"]), row["id"]
    if not clean_text(given_id):
        given_id = None
    address = identifying_url(url) if url else None
    place = {"file": row["file"], "position": row["position"]}
    if not (title or text):
        found = f"neither text nor title in {len(row['text'] or ''):,} characters of text"
        if row["html"] is not None:
            found = f"neither text nor title in {len(row['html']):,} characters of html"
        reject_id = given_id or (article_hash(address) if address else None)
        return {**place, "article_id": reject_id, "reason": "no_text", "detail": found}
    article_id = given_id or article_hash(address or _content(row))
    language = language_code(row["language"]) or detected_language(title, text)
    notes = ["repaired_encoding"] if row["repaired"] else []
    published = published_time(written, language) if written else None
    if published is None and written:
        notes.append("unreadable_date")
    if published is not None and not is_plausible(published, latest):
        notes.append("implausible_date")
        published = None
    return {
        **place,
        "article_key": xxhash.xxh3_64_intdigest(article_id.encode()),
        "article_id": article_id,
        "url": url,
        "source": source or (site(url) if url else None),
        "published_at": published,
        "title": title,
        "text": text,
        "language": language,
        "content_key": content_key(title, text),
        "notes": notes,
    }


def clean_text(text: str | None) -> str:
    """Give a text with one kind of line end, composed (NFC), without NUL.

    Scrapers leave character references in plain text ("Mr. G&#39;s"): they are resolved.
    Nothing but white space gives "".
    """
    text = text or ""
    if "&" in text and ";" in text:
        text = html.unescape(text)
    text = text.replace("\0", "")
    if not text or text.isspace():
        return ""
    for end in LINE_ENDS:
        text = text.replace(end, "\n")
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return text


def one_line(text: str | None) -> str | None:
    """Give a text as one line, its white space folded; None if nothing is left."""
    return " ".join(clean_text(text).split()) or None


def _content(row: dict[str, Any]) -> str:
    """Give what tells a row without id and url from others.

    The folder is left out, so that a corpus keeps its ids when it moves; the name is
    not, so that the same text in two files is two articles.
    """
    name = row["file"].rpartition("/")[2]
    return "\0".join((name, *(row[field] or "" for field in ("title", "text", "html"))))


def article_hash(text: str) -> str:
    """Give the id of an article that was given none: 32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(text.encode())


def content_key(title: str | None, text: str) -> int:
    """Give a 64-bit hash of title and text that white space does not change."""
    words = [*(title or "").split(), "\0", *text.split()]
    return xxhash.xxh3_64_intdigest(" ".join(words).encode())


def identifying_url(url: str) -> str | None:
    """Give what of a url says which article it is; None if it names no single one.

    Written here and not taken from a library, since stored ids hang on it: scheme, user,
    port, "www.", fragment and parameters that track the reader do not count.

    >>> identifying_url("https://www.Example.com:443/a/b/?utm_source=x&id=7#top")
    'example.com/a/b?id=7'
    """
    try:
        parts = urllib.parse.urlsplit(url if "://" in url else f"//{url}")
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    query = "&".join(
        parameter
        for parameter in parts.query.split("&")
        if parameter and not TRACKING.fullmatch(parameter.partition("=")[0])
    )
    path = parts.path.rstrip("/")
    # A front page is where many articles were found, and is none of them.
    if "." not in host or " " in host or not (path or query):
        return None
    return f"{host}{path}?{query}" if query else f"{host}{path}"


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
    try:
        host = urllib.parse.urlsplit(url if "://" in url else f"//{url}").hostname
    except ValueError:
        return None
    return _registrable_domain(host) if host and "." in host and " " not in host else None


def language_code(given: str | None) -> str | None:
    """Give the ISO 639-1 code of "en", "en-US", "EN_us"; None for anything else."""
    code = re.fullmatch(r"\s*([a-z]{2})(?:[-_].*)?", (given or "").lower(), re.S)
    return LANGUAGE_ALIASES.get(code[1], code[1]) if code else None


@functools.cache
def _identifier() -> LanguageIdentifier:
    """Load the model of py3langid, once per process and in half a second."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # "zxx" is what is no language; the others have no code of two letters.
    labels = [label for label in identifier.labels if len(label) == 2 or label == "zxx"]
    identifier.set_languages(labels)
    return identifier


def detected_language(title: str | None, text: str) -> str:
    """Tell the language of an article from its title and its longest line.

    The longest line is the article's; the first may be a button in another language.

    Returns:
      ISO 639-1 code; "und" with fewer letters than a few words or an unsure answer.
    """
    longest = max(text.split("\n"), key=len)[:LANGUAGE_CHARACTERS]
    # Where the longest line tells nothing (a script, a menu), the text at large may.
    for sample in (longest, text[: 4 * LANGUAGE_CHARACTERS]):
        label = _sample_language(f"{title or ''}\n{sample}")
        if label != "und":
            break
    return label


def _sample_language(sample: str) -> str:
    letters = sum(map(str.isalpha, sample)) + 2 * len(IDEOGRAPHS.findall(sample))
    if letters < MIN_LETTERS:
        return "und"
    if 2 * sum(map(str.isupper, sample)) > letters:
        # Captions of broadcasts: the model knows words as they are mostly written.
        sample = sample.lower()
    label, probability = _identifier().classify(sample)
    if label == "zxx" or probability < MIN_LANGUAGE_PROBABILITY:
        return "und"
    return LANGUAGE_ALIASES.get(label, label)


def read_page(html: str, *, wants_text: bool, latest: datetime.datetime) -> Extract:
    """Find the article of a page and what the page says of it.

    Args:
      html: the page.
      wants_text: if not, only title, time and site are looked for.
      latest: no time after it is looked for.
    """
    if len(html) > MAX_HTML_CHARACTERS:
        return Extract()
    # Takes a second to import, and only pages need it.
    import trafilatura

    # What cannot be read becomes a reject; a warning of it would be told twice.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

    # "Extensive" search takes any number in the text for a date: none is better.
    dates = {
        "extensive_search": False,
        "max_date": latest.isoformat(),
        "original_date": True,
        "outputformat": "%Y-%m-%dT%H:%M:%S%z",
    }
    try:
        if wants_text:
            page = trafilatura.bare_extraction(
                html,
                include_comments=False,
                with_metadata=True,
                date_extraction_params=dates,
            )
        else:
            page = trafilatura.extract_metadata(html, date_config=dates)
    except Exception:  # Whatever a parser of wild pages does, it costs this page alone.
        return Extract()
    if page is None:
        return Extract()
    text = clean_text(page.text) if wants_text else None
    return Extract(text, one_line(page.title), page.date, one_line(page.sitename))


def without_title(text: str, title: str | None) -> str:
    """Drop the first line of a text if it is the title."""
    first, _, rest = text.partition("\n")
    same = title is not None and first.split() == title.split()
    return rest.lstrip("\n") if same else text


def split_title(text: str) -> tuple[str | None, str]:
    """Take the title out of a plain text where the text plainly begins with one.

    A title is a line that could be one, among the first few, after nothing but buttons:
    short, no sentence, and set apart by a blank line or by the long lines that follow.
    The buttons stay: what they are is not decided here.

    Returns:
      title: None if in doubt.
      text: without the title's line.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        written = line.strip().lstrip("#").strip()
        if not written:
            continue
        if OPENING_FURNITURE.search(written):
            if len(written.split()) > MAX_FURNITURE_WORDS:
                break
        elif _is_title(written, lines[number + 1 :]):
            rest = "\n".join(lines[:number] + lines[number + 1 :])
            return written, rest.strip("\n")
        else:
            break
    return None, text


def _is_title(line: str, following: list[str]) -> bool:
    ideographs = len(IDEOGRAPHS.findall(line))
    words = len(line.split()) + ideographs // 2
    body = [other.strip() for other in following if other.strip()]
    if not (3 <= words <= 30 and len(line) + ideographs >= 10 and len(line) <= 160):
        return False
    # A sentence, a dateline, a credit or a line that goes on is no title.
    last = line.rstrip("\"'”’»")[-1:]
    if last in ".,;:…)]-–—|。，、：；" or line[0].islower() or line[0] in "-–—×*•(©":
        return False
    longest = max(map(len, body[:3]), default=0)
    is_apart = bool(following) and not following[0].strip()
    return longest >= 3 * len(line) or (is_apart and longest >= max(80, len(line)))


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
