"""Pages: the article in a web page, and the title at the head of a plain text.

What a page holds is found by trafilatura (Barbaresi, 2021): the text among menus and
teasers, and what its metadata say of title, time and site. A plain text says nothing of
itself; its first line is its title only where it plainly is one.

A. Barbaresi, "Trafilatura: A Web Scraping Library and Command-Line Tool for Text
Discovery and Extraction", 2021.
"""

import datetime
import logging
import re
from typing import NamedTuple

from transforms.language import IDEOGRAPHS

# A page above these takes the extractor minutes, for what it does with a tag takes longer
# the more stand beside it; none that is an article is so long.
MAX_HTML_CHARACTERS = 5_000_000
MAX_TAGS = 40_000
MAX_ATTRIBUTES = 2_000
# Only so long a tag can have more. What stands in quotation marks is no attribute.
_LONG_TAG = re.compile(r"<[a-zA-Z][^<>]{8000,}+")
_QUOTED = re.compile(r"\"[^\"]*\"")

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
    """What a page holds, as it stands there; each None if it is not found."""

    text: str | None = None
    title: str | None = None
    published_at: str | None = None
    source: str | None = None


def page_excess(html: str) -> str | None:
    """Say in what a page is too large to be read; None if it is not."""
    if len(html) > MAX_HTML_CHARACTERS:
        return (
            f"a page, got {len(html):,} characters, must have at most "
            f"{MAX_HTML_CHARACTERS:,}"
        )
    if (tags := html.count("<")) > MAX_TAGS:
        return f"a page, got {tags:,} tags, must have at most {MAX_TAGS:,}"
    for tag in _LONG_TAG.findall(html):
        if (attributes := len(_QUOTED.sub("", tag).split())) > MAX_ATTRIBUTES:
            return (
                f"a tag of a page, got {attributes:,} attributes, must have at most "
                f"{MAX_ATTRIBUTES:,}"
            )
    return None


def read_page(html: str, *, wants_text: bool, latest: datetime.datetime) -> Extract:
    """Find the article of a page and what the page says of it.

    Args:
      html: the page.
      wants_text: if not, only title, time and site are looked for.
      latest: no time after it is looked for.

    Returns:
      Nothing of a page that `page_excess` says is too large.
    """
    if page_excess(html):
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
    return Extract(page.text if wants_text else None, page.title, page.date, page.sitename)


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
