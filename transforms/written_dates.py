"""Written dates: a day as texts write it, among the tokens of an article.

A day is believed when a month stands beside a day number, or when three numbers are written
as dates are; a weekday means the latest one not after the article. Without a year the
nearest such day is meant that lies at most so many days ahead; "13日", without a month, is
the latest 13th. Phone numbers, scores and prices have none of these forms. The words are a
data file and valid in any language at once, because no month of one language is another's:
a text needs no language to be read.
"""

import numba
import numpy as np

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
    SLASH,
    SPACE,
    STOP,
    VALUE_BITS,
    YEAR_SIGN,
    FactTokens,
    gap,
)
from transforms.marks import code_point

NO_DAY = np.iinfo(np.int32).min


@numba.njit(cache=True, nogil=True)
def day_number(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date from 1900 to 2100; NO_DAY if there is none."""
    if not 1 <= month <= 12 or not 1 <= day <= 31 or not 1900 <= year <= 2100:
        return NO_DAY
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if month == 2 and day > 28 + leap:
        return NO_DAY
    if day == 31 and (month == 4 or month == 6 or month == 9 or month == 11):
        return NO_DAY
    # Years begin in March, so that the leap day is the last.
    shifted = year - (month <= 2)
    months = (month + 9) % 12
    days = (153 * months + 2) // 5 + day - 1
    return 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400 + days - 719468


@numba.njit(cache=True, nogil=True)
def _year_of(day: int) -> int:
    """The year that a day since 1970 falls in."""
    year = 1970 + day // 366
    while day_number(year + 1, 1, 1) <= day:
        year += 1
    return year


@numba.njit(cache=True, nogil=True)
def _month_day(day: int) -> int:
    """The day of the month that a day since 1970 is."""
    year = _year_of(day)
    for month in range(12, 0, -1):
        first = day_number(year, month, 1)
        if first <= day:
            return day - first + 1
    return 0


@numba.njit(cache=True, nogil=True)
def _resolve(year: int, month: int, day: int, today: int, ahead: int) -> int:
    """Give the day that a date means; year 0 where it has none."""
    if year:
        found = day_number(year, month, day)
        return found if today == NO_DAY or found <= today + 366 else NO_DAY
    best = NO_DAY
    if today != NO_DAY:
        this_year = _year_of(today)
        for guess in range(this_year - 1, this_year + 2):
            found = day_number(guess, month, day)
            if found == NO_DAY or found > today + ahead:
                continue
            if best == NO_DAY or abs(found - today) < abs(best - today):
                best = found
    return best


@numba.njit(cache=True, nogil=True, inline="always")
def _is_day(texts: FactTokens, token: int) -> bool:
    return (
        texts.kinds[token] == NUMBER
        and texts.digits[token] <= 2
        and 1 <= texts.values[token] <= 31
        and texts.suffixes[token] <= ORDINAL
    )


@numba.njit(cache=True, nogil=True, inline="always")
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


@numba.njit(cache=True, nogil=True, inline="always")
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
    if today == NO_DAY or not _is_day(texts, token):
        return NO_DAY
    if not _is_sign(texts, token, last, 0x65E5):
        return NO_DAY
    sign = texts.marked.starts[token + 1]
    following = sign + 3
    if following + 2 < texts.marked.data.size and texts.marked.ends[token + 1] > following:
        code = code_point(texts.marked.data, following)
        if code in (0x5185, 0x9593, 0x95F4, 0x5167):
            return NO_DAY
    day = int(texts.values[token])
    for back in range(62):
        if _month_day(today - back) == day:
            return today - back
    return NO_DAY


@numba.njit(cache=True, nogil=True)
def _numeric_date(
    texts: FactTokens, token: int, first: int, last: int, today: int, ahead: int
) -> tuple[int, int]:
    """Read "2015-11-03", "11/3/2015", "3.11.2015", "11/3/15": the day, and where it ends.

    Where both orders of day and month exist, the nearer to the article is meant.
    """
    none = (NO_DAY, token)
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
    if texts.digits[token + 2] == 2 and mark == SLASH and today != NO_DAY:
        c += 2000
        if not 0 <= _year_of(today) - c <= 1:
            return none
    elif texts.digits[token + 2] != 4:
        return none
    day_first = _resolve(c, b, a, today, ahead)
    month_first = NO_DAY if mark == STOP else _resolve(c, a, b, today, ahead)
    if min(day_first, month_first) == NO_DAY or day_first == month_first:
        return max(day_first, month_first), end
    if today == NO_DAY:
        return none
    nearer = abs(month_first - today) <= abs(day_first - today)
    return (month_first if nearer else day_first), end


@numba.njit(cache=True, nogil=True)
def date_at(
    texts: FactTokens, token: int, first: int, last: int, today: int, ahead: int
) -> tuple[int, int]:
    """Give the day of the date that a month or a first number belongs to, and its end."""
    if texts.kinds[token] == MONTH:
        year, month, day, end = _month_date(texts, token, first, last)
    else:
        found, end = _numeric_date(texts, token, first, last, today, ahead)
        if found != NO_DAY:
            return found, end
        year, month, day, end = _signed_date(texts, token, first, last)
        if not day:
            return _lone_day(texts, token, last, today), token + 1
    if not day:
        return NO_DAY, token + 1
    return _resolve(year, month, day, today, ahead), end


@numba.njit(cache=True, nogil=True)
def weekday_day(texts: FactTokens, token: int, first: int, last: int, today: int) -> int:
    """Give the latest such weekday not after today, unless a date or title is meant."""
    if token > first and texts.kinds[token - 1] == NO_DAY_BEFORE:
        return NO_DAY
    if token + 1 < last:
        following = texts.kinds[token + 1]
        if following == NO_DAY_AFTER:
            return NO_DAY
        # "Friday, Nov. 3", "viernes 3 de noviembre": the date counts.
        for place in range(token + 1, min(token + 4, last)):
            if texts.kinds[place] == MONTH:
                if _month_date(texts, place, token + 1, last)[2]:
                    return NO_DAY
                break
            if texts.kinds[place] != OF and not _is_day(texts, place):
                break
    # 1970-01-01 was a Thursday.
    return today - (today + 3 - (texts.values[token] & VALUE_BITS)) % 7
