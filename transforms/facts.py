"""Facts: the days a text places its event on.

Publication days fail where it matters: a trial is reported years after the shooting. The
text itself says "on Nov. 3", and two reports of one event agree on that day however
different their words are.

A day is believed when a month stands beside a day number, or when three numbers are written
as dates are; a weekday means the latest one not after the article. Without a year the
nearest such day is meant that lies at most 30 days ahead; "13日", without a month, is the
latest 13th. Phone numbers, scores and prices have none of these forms. What remains wrong
is mostly true of something else: the day of an earlier case, of an anniversary. The words
are a data file and valid in any language at once, because no month of one language is
another's: a text needs no language to be read.
"""

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.fact_words import (
    ANY,
    COMMA,
    DAY_FOLLOWS,
    HYPHEN,
    KOREAN_DAY,
    KOREAN_MONTH,
    KOREAN_YEAR,
    MONTH,
    MONTH_SIGN,
    NO_DAY_AFTER,
    NO_DAY_BEFORE,
    NUMBER,
    OF,
    ORDINAL,
    PLAIN,
    POSTED,
    SLASH,
    SPACE,
    STOP,
    VALUE_BITS,
    WEEKDAY,
    YEAR_SIGN,
    FactTokens,
    gap,
)
from transforms.marks import code_point

# Explicit dates, and weekdays, that are read of one text: the first of each kind.
MAX_DAYS = 6
# A date without a year lies at most so far ahead of its article.
MAX_DAYS_AHEAD = 30
# "Posted: Nov. 3, 2015" stands among the first so many bytes of a scraped text.
_POSTED_BYTES = 1500
_URL_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"
_OLDEST_DAY = 7305  # 1990-01-01
_NO_DAY = np.iinfo(np.int32).min


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
    return pa.array(days, pa.int32(), mask=days == _NO_DAY)


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
    known = days.fill_null(_NO_DAY).to_numpy(zero_copy_only=False)
    return _event_days(texts, known, max_days, max_days_ahead)


def _url_day(year: str, month: str, day: str) -> int | None:
    number = int(month) if month.isdecimal() else _URL_MONTHS.index(month.lower()) // 3 + 1
    found = int(_day_number(int(year), number, int(day)))
    return None if found == _NO_DAY else found


@numba.njit(cache=True, nogil=True)
def _day_number(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date of the Gregorian calendar; _NO_DAY if there is none."""
    if not 1 <= month <= 12 or not 1 <= day <= 31 or not 1900 <= year <= 2100:
        return _NO_DAY
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if month == 2 and day > 28 + leap:
        return _NO_DAY
    if day == 31 and (month == 4 or month == 6 or month == 9 or month == 11):
        return _NO_DAY
    # Years begin in March, so that the leap day is the last.
    shifted = year - (month <= 2)
    months = (month + 9) % 12
    days = (153 * months + 2) // 5 + day - 1
    return 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + days - 719468


@numba.njit(cache=True, nogil=True)
def _year_of(day: int) -> int:
    """The year that a day since 1970 falls in."""
    year = 1970 + day // 366
    while _day_number(year + 1, 1, 1) <= day:
        year += 1
    return year


@numba.njit(cache=True, nogil=True)
def _month_day(day: int) -> int:
    """The day of the month that a day since 1970 is."""
    year = _year_of(day)
    for month in range(12, 0, -1):
        first = _day_number(year, month, 1)
        if first <= day:
            return day - first + 1
    return 0


@numba.njit(cache=True, nogil=True)
def _resolve(year: int, month: int, day: int, today: int, ahead: int) -> int:
    """Give the day that a date means; year 0 where it has none."""
    if year:
        found = _day_number(year, month, day)
        return found if today == _NO_DAY or found <= today + 366 else _NO_DAY
    best = _NO_DAY
    if today != _NO_DAY:
        this_year = _year_of(today)
        for guess in range(this_year - 1, this_year + 2):
            found = _day_number(guess, month, day)
            if found == _NO_DAY or found > today + ahead:
                continue
            if best == _NO_DAY or abs(found - today) < abs(best - today):
                best = found
    return best


@numba.njit(cache=True, nogil=True)
def _is_day(texts: FactTokens, token: int) -> bool:
    return (
        texts.kinds[token] == NUMBER
        and texts.digits[token] <= 2
        and 1 <= texts.values[token] <= 31
        and texts.suffixes[token] <= ORDINAL
    )


@numba.njit(cache=True, nogil=True)
def _year_at(texts: FactTokens, token: int, last: int) -> int:
    """The year that a token is; 0 if it is none."""
    if token < last and texts.digits[token] == 4 and texts.suffixes[token] == PLAIN:
        return int(texts.values[token])
    return 0


@numba.njit(cache=True, nogil=True)
def _month_date(
    texts: FactTokens, month: int, first: int, last: int
) -> tuple[int, int, int, int]:
    """Read the date around a month: year (0 if none), month, day (0 if no date), end."""
    value = texts.values[month]
    if value & DAY_FOLLOWS and month + 1 < last and _is_day(texts, month + 1):
        between = gap(texts, month)
        if between in (SPACE, STOP, 10 * STOP + SPACE):
            year, end = 0, month + 2
            if end < last:
                behind = gap(texts, month + 1)
                if behind in (SPACE, COMMA, 10 * COMMA + SPACE):
                    year = _year_at(texts, end, last)
                # "March 3,000", "March 3.5", "Nov 3:30": no day.
                separated = behind in (COMMA, STOP, ANY)
                if not year and separated and texts.kinds[end] == NUMBER:
                    return 0, 0, 0, month
            return year, value & VALUE_BITS, int(texts.values[month + 1]), end + (year > 0)
    day = 0
    if month > first and _is_day(texts, month - 1):
        between = gap(texts, month - 1)
        if between in (SPACE, STOP, 10 * STOP + SPACE, HYPHEN):
            day = int(texts.values[month - 1])
    elif (
        month > first + 1
        and texts.kinds[month - 1] == OF
        and _is_day(texts, month - 2)
        and gap(texts, month - 1) == SPACE
        and gap(texts, month - 2) == SPACE
    ):
        day = int(texts.values[month - 2])
    if not day:
        return 0, 0, 0, month
    year, end = 0, month + 1
    if end < last:
        behind = gap(texts, month)
        if behind in (SPACE, 10 * COMMA + SPACE, 10 * STOP + SPACE, HYPHEN):
            year = _year_at(texts, end, last)
            if not year and texts.kinds[end] == OF:
                year = _year_at(texts, end + 1, last)
                end += year > 0
    return year, value & VALUE_BITS, day, end + (year > 0)


@numba.njit(cache=True, nogil=True)
def _is_sign(texts: FactTokens, token: int, last: int, code: int) -> bool:
    """Whether a character stands right behind a token."""
    tokens = texts.marked
    return (
        token + 1 < last
        and tokens.ends[token] == tokens.starts[token + 1]
        and code_point(tokens.data, tokens.starts[token + 1]) == code
    )


@numba.njit(cache=True, nogil=True)
def _signed_date(
    texts: FactTokens, month: int, first: int, last: int
) -> tuple[int, int, int, int]:
    """Read a date with signs behind its numbers, as in Chinese, Japanese and Korean."""
    none = (0, 0, 0, month)
    year = 0
    if texts.suffixes[month] == KOREAN_MONTH:
        day = month + 1
        if day >= last or texts.suffixes[day] != KOREAN_DAY or gap(texts, month) > SPACE:
            return none
        if month > first and texts.suffixes[month - 1] == KOREAN_YEAR:
            year = int(texts.values[month - 1])
        return year, int(texts.values[month]), int(texts.values[day]), day + 1
    day = month + 2
    if day >= last or texts.kinds[month + 1] != MONTH_SIGN or texts.kinds[day] != NUMBER:
        return none
    if texts.marked.ends[month] != texts.marked.starts[month + 1] or gap(texts, month + 1):
        return none
    for sign in (0x65E5, 0x53F7, 0x865F):
        if _is_sign(texts, day, last, sign):
            if month > first + 1 and texts.kinds[month - 1] == YEAR_SIGN:
                year = _year_at(texts, month - 2, last)
            return year, int(texts.values[month]), int(texts.values[day]), day + 1
    return none


@numba.njit(cache=True, nogil=True)
def _lone_day(texts: FactTokens, token: int, last: int, today: int) -> int:
    """Read "13日", a day of this month or the last: how Chinese and Japanese news date.

    "13日内" and "13日间" are spans of time.
    """
    if today == _NO_DAY or not _is_day(texts, token):
        return _NO_DAY
    if not _is_sign(texts, token, last, 0x65E5):
        return _NO_DAY
    sign = texts.marked.starts[token + 1]
    following = sign + 3
    if following + 2 < texts.marked.data.size and texts.marked.ends[token + 1] > following:
        code = code_point(texts.marked.data, following)
        if code in (0x5185, 0x9593, 0x95F4, 0x5167):
            return _NO_DAY
    day = int(texts.values[token])
    for back in range(62):
        if _month_day(today - back) == day:
            return today - back
    return _NO_DAY


@numba.njit(cache=True, nogil=True)
def _numeric_date(
    texts: FactTokens, token: int, first: int, last: int, today: int, ahead: int
) -> tuple[int, int]:
    """Read "2015-11-03", "11/3/2015", "3.11.2015", "11/3/15": the day, and where it ends.

    Where both orders of day and month exist, the nearer to the article is meant.
    """
    none = (_NO_DAY, token)
    if token + 2 >= last:
        return none
    mark = gap(texts, token)
    if mark not in (HYPHEN, SLASH, STOP) or gap(texts, token + 1) != mark:
        return none
    # A longer chain is a phone number, an address or a version.
    if token > first and gap(texts, token - 1) in (HYPHEN, SLASH, STOP):
        return none
    end = token + 3
    if end < last and gap(texts, end - 1) == mark:
        return none
    for part in range(token, end):
        if texts.kinds[part] != NUMBER or texts.suffixes[part] != PLAIN:
            return none
    a, b, c = (
        int(texts.values[token]),
        int(texts.values[token + 1]),
        int(texts.values[token + 2]),
    )
    if texts.digits[token + 1] > 2:
        return none
    if texts.digits[token] == 4 and texts.digits[token + 2] <= 2:
        return _resolve(a, b, c, today, ahead), end
    if texts.digits[token] > 2:
        return none
    if texts.digits[token + 2] == 2 and mark == SLASH and today != _NO_DAY:
        c += 2000
        if not 0 <= _year_of(today) - c <= 1:
            return none
    elif texts.digits[token + 2] != 4:
        return none
    day_first = _resolve(c, b, a, today, ahead)
    month_first = _NO_DAY if mark == STOP else _resolve(c, a, b, today, ahead)
    if min(day_first, month_first) == _NO_DAY or day_first == month_first:
        return max(day_first, month_first), end
    if today == _NO_DAY:
        return none
    nearer = abs(month_first - today) <= abs(day_first - today)
    return (month_first if nearer else day_first), end


@numba.njit(cache=True, nogil=True)
def _date_at(
    texts: FactTokens, token: int, first: int, last: int, today: int, ahead: int
) -> tuple[int, int]:
    """Give the day of the date that a month or a first number belongs to, and its end."""
    if texts.kinds[token] == MONTH:
        year, month, day, end = _month_date(texts, token, first, last)
    else:
        found, end = _numeric_date(texts, token, first, last, today, ahead)
        if found != _NO_DAY:
            return found, end
        year, month, day, end = _signed_date(texts, token, first, last)
        if not day:
            return _lone_day(texts, token, last, today), token + 1
    if not day:
        return _NO_DAY, token + 1
    return _resolve(year, month, day, today, ahead), end


@numba.njit(cache=True, nogil=True)
def _weekday(texts: FactTokens, token: int, first: int, last: int, today: int) -> int:
    """Give the latest such weekday not after today, unless a date or title is meant."""
    if token > first and texts.kinds[token - 1] == NO_DAY_BEFORE:
        return _NO_DAY
    if token + 1 < last:
        following = texts.kinds[token + 1]
        if following == NO_DAY_AFTER:
            return _NO_DAY
        # "Friday, Nov. 3", "viernes 3 de noviembre": the date counts.
        for place in range(token + 1, min(token + 4, last)):
            if texts.kinds[place] == MONTH:
                if _month_date(texts, place, token + 1, last)[2]:
                    return _NO_DAY
                break
            if texts.kinds[place] != OF and not _is_day(texts, place):
                break
    # 1970-01-01 was a Thursday.
    return today - (today + 3 - (texts.values[token] & VALUE_BITS)) % 7


@numba.njit(cache=True, nogil=True)
def _posted_days(texts: FactTokens) -> npt.NDArray[np.int32]:
    tokens = texts.marked
    days = np.full(tokens.offsets.size - 1, _NO_DAY, np.int32)
    for text in range(days.size):
        first, last = tokens.offsets[text], tokens.offsets[text + 1]
        posted = first - 10
        for token in range(first, last):
            if tokens.starts[token] - tokens.starts[first] > _POSTED_BYTES:
                break
            kind = texts.kinds[token]
            if kind == POSTED:
                posted = token
            elif token - posted < 7 and kind in (MONTH, NUMBER):
                # Without an article's day only dates with a year are read.
                day, _ = _date_at(texts, token, first, last, _NO_DAY, 0)
                if day != _NO_DAY and (days[text] == _NO_DAY or day < days[text]):
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
    tokens = texts.marked
    n = todays.size
    days = np.empty(n * (2 * max_days + 2), np.int32)
    offsets = np.zeros(n + 1, np.int64)
    dates = np.empty(max_days, np.int32)
    weekdays = np.empty(max_days, np.int32)
    for text in range(n):
        first, last = tokens.offsets[text], tokens.offsets[text + 1]
        today = np.int64(todays[text])
        date_count = weekday_count = 0
        token = first
        while token < last and (date_count < max_days or weekday_count < max_days):
            kind = texts.kinds[token]
            following = token + 1
            if kind in (MONTH, NUMBER) and date_count < max_days:
                day, following = _date_at(texts, token, first, last, today, ahead)
                if day >= _OLDEST_DAY:
                    date_count = _add_new(dates, date_count, day)
            elif kind == WEEKDAY and weekday_count < max_days and today != _NO_DAY:
                day = _weekday(texts, token, first, last, today)
                if day != _NO_DAY:
                    weekday_count = _add_new(weekdays, weekday_count, day)
            token = max(following, token + 1)
        count = 0
        found = days[offsets[text] :]
        if today != _NO_DAY:
            count = _add_new(found, count, today)
            count = _add_new(found, count, today - 1)
        for place in range(date_count):
            count = _add_new(found, count, dates[place])
        for place in range(weekday_count):
            count = _add_new(found, count, weekdays[place])
        found[:count].sort()
        offsets[text + 1] = offsets[text] + count
    return days[: offsets[n]], offsets
