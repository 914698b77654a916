"""Dates: the time an article says it was published at, as the world writes it, in UTC.

ISO 8601, RFC 2822 and numbers of seconds are read here, in a microsecond or ten; the
rest, in any language, by dateparser, in a millisecond or ten. Dates repeat, and what was
read is remembered. Only a whole date
counts: "Friday", "May 2025" and "2 hours ago" give none, since what they mean depends on
when they were scraped. Without a zone a time is taken for UTC, and may be half a day off.
"""

import datetime
import email.utils
import functools
import re

from dateparser.data.languages_info import language_order
from dateparser.date import DateDataParser

UTC = datetime.UTC
# The first newspaper that is scraped as a web page is younger than this.
FIRST_YEAR = 1900
# Editors' clocks and zones left out put an article a little into the future.
GRACE = datetime.timedelta(days=2)

ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)\s*([Zz]|UTC|GMT|[+-]\d\d:?(?:\d\d)?)?)?"
    r"(?:\[[\w/+-]+\])?"
)
RFC_2822 = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d)? "
    r"(?:GMT|UTC?|[ECMP][SD]T|[+-]\d{4})"
)
OTHER_FORMATS = (
    "%a %b %d %H:%M:%S %z %Y",
    "%Y%m%dT%H%M%S%z",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    # Whoever writes points between the numbers writes the day first, in English too.
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y, %H:%M",
)
# Since 1970, between 1973 and 2286: how many digits make how small a part of a second.
EPOCH_UNITS = (((9, 10), 1), ((12, 13), 10**3), ((15, 16), 10**6), ((18, 19), 10**9))
EPOCH_DIGITS = {digits: unit for lengths, unit in EPOCH_UNITS for digits in lengths}
EPOCH = re.compile(r"(\d{9,19})(?:\.\d+)?")

# What stands before a date on a page, in the languages whose pages are met most.
LABEL = re.compile(
    r"^(?:(?:first |last |originally )?(?:published|updated|posted|modified|created)"
    r"|publi(?:é|ée|cado|cada|catto|cato)|mis[e]? à jour|actualizado|atualizado|aggiornato"
    r"|veröffentlicht|aktualisiert|stand|erstellt|gepubliceerd)"
    r"(?:\s+(?:on|at|le|el|em|il|am|op))?\s*[:|,–-]?\s+",
    re.I,
)
# American pages write "ET" for whichever of EST and EDT is in force.
AMERICAN_ZONE = re.compile(r"\s*\(?\b([ECMP])T\)?$")
AMERICAN_ZONES = {
    "E": "America/New_York",
    "C": "America/Chicago",
    "M": "America/Denver",
    "P": "America/Los_Angeles",
}
# A date dateparser could read whole: it has a day and a year. Saves it from trying.
DATE_LIKE = re.compile(r"\d.*\d{2}|\d{2}.*\d", re.S)


@functools.lru_cache(maxsize=65_536)
def published_time(written: str, language: str = "und") -> datetime.datetime | None:
    """Read a time of publication; None if it is no whole date.

    >>> published_time("May 16, 2025 3:04 PM EDT")
    datetime.datetime(2025, 5, 16, 19, 4, tzinfo=datetime.timezone.utc)

    Args:
      written: as in the input.
      language: ISO 639-1 code of the article; decides 05/06/2025 and is tried first.

    Returns:
      The time in UTC, whatever the year, or the first or last moment that datetime
      knows where the year is beyond it in UTC.
    """
    written = written.strip()
    for read in (_iso, _epoch, _rfc_2822):
        time = read(written)
        if time is not None:
            return _utc(time)
    time = _any_form(written, language)
    return None if time is None else _utc(time)


def _utc(time: datetime.datetime) -> datetime.datetime:
    if time.tzinfo is None:
        return time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return time.replace(tzinfo=UTC)


def _iso(written: str) -> datetime.datetime | None:
    match = ISO.fullmatch(written)
    if match is None:
        return None
    day, time, zone = match.groups()
    zone = "+00:00" if zone and zone.isalpha() else zone
    try:
        return datetime.datetime.fromisoformat(f"{day}T{time}{zone or ''}" if time else day)
    except ValueError:
        return None


def _epoch(written: str) -> datetime.datetime | None:
    match = EPOCH.fullmatch(written)
    if match is None or len(match[1]) not in EPOCH_DIGITS:
        return None
    micros = int(match[1]) * 10**6 // EPOCH_DIGITS[len(match[1])]
    return datetime.datetime.fromtimestamp(0, UTC) + datetime.timedelta(microseconds=micros)


def _rfc_2822(written: str) -> datetime.datetime | None:
    try:
        if RFC_2822.fullmatch(written):
            return email.utils.parsedate_to_datetime(written)
    except ValueError:
        pass
    return None


def _any_form(written: str, language: str) -> datetime.datetime | None:
    for form in OTHER_FORMATS:
        try:
            return datetime.datetime.strptime(written, form)
        except ValueError:
            continue
    written = LABEL.sub("", written)
    if not 6 <= len(written) <= 80 or not DATE_LIKE.search(written):
        return None
    zone = "UTC"
    if american := AMERICAN_ZONE.search(written):
        zone = AMERICAN_ZONES[american[1]]
        written = written[: american.start()]
    known = language if language in language_order else "en"
    for languages in ((known,), None):
        time = _parser(languages, zone).get_date_data(written).date_obj
        if time is not None:
            return time
    return None


@functools.cache
def _parser(languages: tuple[str, ...] | None, zone: str) -> DateDataParser:
    # Without STRICT_PARSING what is missing is filled from the clock, and with the other
    # parsers "2 hours ago" is. What was parsed before must not decide what comes next.
    return DateDataParser(
        languages=languages,
        try_previous_locales=False,
        settings={
            "PARSERS": ["absolute-time"],
            "RETURN_AS_TIMEZONE_AWARE": True,
            "STRICT_PARSING": True,
            "TIMEZONE": zone,
        },
    )


def is_plausible(time: datetime.datetime, latest: datetime.datetime) -> bool:
    """Tell whether a text can have been published at that time, as seen at `latest`."""
    return time.year >= FIRST_YEAR and time <= latest + GRACE
