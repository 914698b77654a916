"""Facts: the days a text places its event on.

Publication days fail where it matters: a trial is reported years after the shooting. The
text itself says "on Nov. 3", and two reports of one event agree on that day however
different their words are.

How days are written is for `written_dates.py`. What remains wrong is mostly true of
something else: the day of an earlier case, of an anniversary.
"""

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.fact_words import (
    KOREAN_MONTH,
    MONTH,
    NUMBER,
    POSTED,
    WEEKDAY,
    FactTokens,
)
from transforms.written_dates import NO_DAY, date_at, day_number, weekday_day

# Explicit dates, and weekdays, that are read of one text: the first of each kind.
MAX_DAYS = 6
# A date without a year lies at most so far ahead of its article.
MAX_DAYS_AHEAD = 30
# "Posted: Nov. 3, 2015" stands among the first so many bytes of a scraped text.
_POSTED_BYTES = 1500
_URL_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"
_OLDEST_DAY = 7305  # 1990-01-01


def url_days(urls: pa.Array) -> pa.Array:
    """Find the day in each url: "/2015/11/03/", "/2015/nov/3/", "/2015-11-03".

    Args:
      urls: n texts, null where unknown.

    Returns:
      n days since 1970, `int32`; null where the url holds none.
    """
    found = pc.extract_regex(
        urls.cast(pa.string()),
        r"(?i)/(?P<year>(?:19|20)\d\d)[/-](?P<month>\d{1,2}|jan|feb|mar|apr|may|jun|jul|aug|"
        r"sep|oct|nov|dec)[a-z]*[/-](?P<day>\d{1,2})(?:\D|$)",
    )
    days = [None if parts is None else _url_day(**parts) for parts in found.to_pylist()]
    return pa.array(days, pa.int32())


def posted_days(texts: FactTokens) -> pa.Array:
    """Find the day after "Posted", "Published" or "Updated" in the first 1,500 bytes.

    Returns:
      n days since 1970, `int32`; null where the text says none. The earliest if several.
    """
    days = _posted_days(texts)
    return pa.array(days, pa.int32(), mask=days == NO_DAY)


def article_days(published_at: pa.Array, urls: pa.Array, texts: FactTokens) -> pa.Array:
    """Give the day of each article: the earliest of its date, its url and "Posted: ...".

    A page that is edited or scraped again gets a new date and keeps its url. A day before
    1990, or after the date that is given, is taken for something else.

    Args:
      published_at: n times, UTC; null where unknown.
      urls: n texts, null where unknown.
      texts: of the n articles.

    Returns:
      n days since 1970, `int32`; null where nothing is known.
    """
    given = pc.floor(pc.divide(published_at.cast(pa.int64()).cast(pa.float64()), 86_400e6))
    given = given.cast(pa.int32())
    day = given
    for other in (url_days(urls), posted_days(texts)):
        plausible = pc.greater_equal(other, _OLDEST_DAY)
        day = pc.min_element_wise(day, pc.if_else(plausible, other, None))
    return day


def event_days(
    texts: FactTokens,
    days: pa.Array,
    *,
    max_days: int = MAX_DAYS,
    max_days_ahead: int = MAX_DAYS_AHEAD,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Find the days that each text places its event on.

    These are the article's own day and the day before, the first dates and the first
    weekdays in the text. An article without a day has only the dates with a year.

    Args:
      texts: of n articles.
      days: n days since 1970, null where unknown.
      max_days: dates, and weekdays, of a text that count.
      max_days_ahead: how far a date may lie after the article's day, if it has one.

    Returns:
      days: int32, of all n texts; those of one text ascending and distinct.
      offsets: shape (n + 1,). Text i owns days[offsets[i]:offsets[i + 1]].
    """
    known = days.fill_null(NO_DAY).to_numpy(zero_copy_only=False)
    return _event_days(texts, known, max_days, max_days_ahead)


def _url_day(year: str, month: str, day: str) -> int | None:
    number = int(month) if month.isdecimal() else _URL_MONTHS.index(month.lower()) // 3 + 1
    found = int(day_number(int(year), number, int(day)))
    return None if found == NO_DAY else found


@numba.njit(cache=True, nogil=True, inline="always")
def _may_open_date(texts: FactTokens, token: int, last: int) -> bool:
    """Whether a month, or a number with a mark or sign behind it, stands here."""
    if texts.kinds[token] != NUMBER:
        return bool(texts.kinds[token] == MONTH)
    if token + 1 >= last:
        return False
    mark = texts.marked.data[texts.marked.ends[token]]
    # "-", ".", "/", or a dash or sign beyond ASCII; Korean signs are part of the number.
    return 0x2D <= mark <= 0x2F or mark >= 0x80 or texts.suffixes[token] == KOREAN_MONTH


@numba.njit(cache=True, nogil=True)
def _posted_days(texts: FactTokens) -> npt.NDArray[np.int32]:
    kinds, starts, offsets = texts.kinds, texts.marked.starts, texts.marked.offsets
    days = np.full(offsets.size - 1, NO_DAY, np.int32)
    for text in range(days.size):
        first, last = offsets[text], offsets[text + 1]
        posted = first - 10
        for token in range(first, last):
            if starts[token] - starts[first] > _POSTED_BYTES:
                break
            kind = kinds[token]
            if kind == POSTED:
                posted = token
            elif token - posted < 7 and _may_open_date(texts, token, last):
                # Without an article's day only dates with a year are read.
                day, _ = date_at(texts, token, first, last, NO_DAY, 0)
                if day != NO_DAY and (days[text] == NO_DAY or day < days[text]):
                    days[text] = day
    return days


@numba.njit(cache=True, nogil=True)
def _add_new(found: npt.NDArray[np.int32], count: int, day: int) -> int:
    """Append a day unless it is there; give the new count."""
    for place in range(count):
        if found[place] == day:
            return count
    found[count] = day
    return count + 1


@numba.njit(cache=True, nogil=True)
def _event_days(
    texts: FactTokens, todays: npt.NDArray[np.int32], max_days: int, ahead: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    kinds, bounds = texts.kinds, texts.marked.offsets
    n = todays.size
    days = np.empty(n * (2 * max_days + 2), np.int32)
    offsets = np.zeros(n + 1, np.int64)
    dates = np.empty(max_days, np.int32)
    weekdays = np.empty(max_days, np.int32)
    for text in range(n):
        first, last = bounds[text], bounds[text + 1]
        today = np.int64(todays[text])
        date_count = weekday_count = 0
        token = first
        while token < last and (date_count < max_days or weekday_count < max_days):
            kind = kinds[token]
            following = token + 1
            if date_count < max_days and _may_open_date(texts, token, last):
                day, following = date_at(texts, token, first, last, today, ahead)
                if day >= _OLDEST_DAY:
                    date_count = _add_new(dates, date_count, day)
            elif kind == WEEKDAY and weekday_count < max_days and today != NO_DAY:
                day = weekday_day(texts, token, first, last, today)
                if day != NO_DAY:
                    weekday_count = _add_new(weekdays, weekday_count, day)
            token = max(following, token + 1)
        count = 0
        found = days[offsets[text] :]
        if today != NO_DAY:
            count = _add_new(found, count, today)
            count = _add_new(found, count, today - 1)
        for place in range(date_count):
            count = _add_new(found, count, dates[place])
        for place in range(weekday_count):
            count = _add_new(found, count, weekdays[place])
        found[:count].sort()
        offsets[text + 1] = offsets[text] + count
    return days[: offsets[n]], offsets
