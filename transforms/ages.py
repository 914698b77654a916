"""Ages: how old the people in a text are.

News agencies give the age of nearly everybody they name, in a few fixed forms: "a
21-year-old man", "Maria Lopez, 21, was", "age 21", "(21)". Ages agree between reports that
share no other word, and five shootings of one day rarely have victims of the same ages.

The forms are chosen so that terms of prison, scores and prices have none of them; the age
of a building has.
"""

import numba
import numpy as np
import numpy.typing as npt

from transforms.fact_words import (
    AGE_ADJECTIVE,
    AGE_SUFFIX,
    AGED,
    AGED_YEARS,
    AGES,
    ALT,
    ALTER,
    AND,
    ANY,
    ARABIC_AGED,
    ARABIC_YEARS,
    BOTH,
    CLOSE,
    COMMA,
    HYPHEN,
    JAHRE,
    LIFETIME,
    LINE,
    MONTH,
    NUMBER,
    OF,
    OLD,
    OPEN,
    OTHER,
    PERSON,
    PLAIN,
    RANGE,
    SPACE,
    STOP,
    VON,
    YEAR_UNIT,
    YEARS,
    FactTokens,
    gap,
)
from transforms.marks import CAPITAL, code_point, sentence_end

LEAD_AGE_SENTENCES = 8
MAX_AGE = 110

_COMMA_SPACE = 10 * COMMA + SPACE
_SPACE_OPEN = 10 * SPACE + OPEN
# "Jr., 21,"
_STOP_COMMA_SPACE = 100 * STOP + _COMMA_SPACE

# What ends an age behind a name: ", ", ". ", or the line.
_AGE_ENDS = (_COMMA_SPACE, COMMA, 10 * STOP + SPACE, 10 * STOP + LINE, LINE)

Lists = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def ages_of(
    titles: FactTokens,
    texts: FactTokens,
    *,
    lead_sentences: int = LEAD_AGE_SENTENCES,
    max_age: int = MAX_AGE,
) -> tuple[Lists, Lists]:
    """Find the ages of people in title and text.

    Args:
      titles: of n articles.
      texts: of the same articles.
      lead_sentences: sentences of the text whose ages belong to the lead.
      max_age: the greatest age that is believed, in years, at most 255.

    Returns:
      ages: years, uint8, shape (s,), of all n articles, those of one ascending and
        distinct; and offsets, shape (n + 1,): article i owns offsets[i] to offsets[i + 1].
      lead_ages: the same of title and first sentences alone.
    """
    ages, offsets = _ages(titles, texts, lead_sentences, max_age)
    lengths = offsets[:, -1]
    return (ages[0, : lengths[0]], offsets[0]), (ages[1, : lengths[1]], offsets[1])


@numba.njit(cache=True, nogil=True, inline="always")
def _kind(texts: FactTokens, token: int, first: int, last: int) -> int:
    """What a token is, where tokens outside the text are nothing."""
    return int(texts.kinds[token]) if first <= token < last else OTHER


@numba.njit(cache=True, nogil=True, inline="always")
def _gap(texts: FactTokens, token: int, first: int, last: int) -> int:
    """What stands between a token and the next; at the ends of a text anything may."""
    return gap(texts, token) if first <= token < last - 1 else ANY


@numba.njit(cache=True, nogil=True)
def _opening(code: int) -> int:
    """The first of some characters between two tokens."""
    while code > ANY:
        code //= 10
    return code


@numba.njit(cache=True, nogil=True, inline="always")
def _follows_name(texts: FactTokens, number: int, first: int) -> bool:
    """Whether the word before a number is written with a capital and no date or place."""
    name = number - 1
    return (
        name >= first
        and bool(texts.marked.marks[name] & CAPITAL)
        and texts.kinds[name] == OTHER
    )


@numba.njit(cache=True, nogil=True)
def _is_age(texts: FactTokens, number: int, first: int, last: int) -> bool:
    """Whether the number is an age, by the words and marks around it."""
    if texts.suffixes[number] == AGE_SUFFIX:
        return True
    if texts.suffixes[number] != PLAIN:
        return False
    before = _kind(texts, number - 1, first, last)
    before_that = _kind(texts, number - 2, first, last)
    after = _kind(texts, number + 1, first, last)
    after_that = _kind(texts, number + 2, first, last)
    if after == YEAR_UNIT:  # "21-year-old", "21 years old"
        return after_that == OLD
    if after == AGE_ADJECTIVE:  # "21-jährige"
        return True
    if after == ARABIC_YEARS:  # "العمر 21 عاما", and behind a name "(21 عاما)"
        bracketed = before == OTHER and _gap(texts, number - 1, first, last) == _SPACE_OPEN
        closed = _opening(_gap(texts, number + 1, first, last)) in (CLOSE, COMMA)
        return before == ARABIC_AGED or (bracketed and closed)
    if after == JAHRE:  # "21 Jahre alt"
        return after_that == ALT
    if after == YEARS:
        return _is_age_in_years(texts, number, first, last)
    following = texts.marked.starts[number + 1] if number + 1 < last else -1
    if following == texts.marked.ends[number]:  # "21岁"
        sign = code_point(texts.marked.data, following)
        return sign in (0x5C81, 0x6B72, 0x6B73)

    ranged = after == RANGE or (after == AND and after_that == RANGE)
    if (
        before in (AGED, AGES) and _gap(texts, number - 1, first, last) == SPACE
    ):  # "age 21", not "under age 21", "age 18-34"
        spanned = after == NUMBER and _gap(texts, number, first, last) == HYPHEN
        return not ranged and not spanned and before_that != RANGE
    if before == VON and before_that == ALTER:  # "im Alter von 21"
        return after != JAHRE or after_that == ALT

    if before == BOTH:  # "William and Carl Moore, both 24,"
        return _gap(texts, number - 2, first, last) == _COMMA_SPACE and not ranged

    if not _follows_name(texts, number, first):
        return False
    gap_before = _gap(texts, number - 1, first, last)
    gap_after = _gap(texts, number, first, last)
    if gap_before == _SPACE_OPEN:  # "Maria Lopez (21)"
        return _opening(gap_after) in (CLOSE, COMMA)
    if gap_before not in (_COMMA_SPACE, _STOP_COMMA_SPACE):
        return False
    if after in (NUMBER, MONTH):  # "Lots, 21, 22"
        return False
    # "Maria Lopez, 21, was", "and Maria Lopez, 21."
    return number + 1 == last or gap_after in _AGE_ENDS


@numba.njit(cache=True, nogil=True)
def _is_age_in_years(texts: FactTokens, number: int, first: int, last: int) -> bool:
    """Whether "21 ans", "21 años" is an age and no term of prison."""
    if _kind(texts, number + 2, first, last) == OF:
        # "de 21 años de edad", not "21 ans de prison"
        return _kind(texts, number + 3, first, last) == LIFETIME
    if _kind(texts, number - 1, first, last) == OF:
        introduced = _kind(texts, number - 2, first, last) in (AGED_YEARS, PERSON)
        return introduced or _gap(texts, number - 2, first, last) == _COMMA_SPACE
    before = _gap(texts, number - 1, first, last)
    return before in (_COMMA_SPACE, _SPACE_OPEN) and _follows_name(texts, number, first)


@numba.njit(cache=True, nogil=True)
def _mark_ages(
    texts: FactTokens, first: int, lead: int, last: int, seen: npt.NDArray[np.uint8]
) -> None:
    """Mark in a table of all ages those of a text with 1, of its lead with 2.

    Args:
      texts: the text is their tokens from `first` to `last`, exclusive.
      first: of the text.
      lead: where the lead ends, exclusive.
      last: of the text.
      seen: shape (ages,). Written.
    """
    listed = -2  # the last number of "ages 13, 17 and 19"
    several = False  # not so in "aged 13 and 4 others"
    kinds = texts.kinds
    for token in range(first, last):
        if kinds[token] != NUMBER or texts.digits[token] > 3:
            continue
        joined = (token == listed + 1 and gap(texts, listed) == _COMMA_SPACE) or (
            several and token == listed + 2 and texts.kinds[listed + 1] == AND
        )
        if joined or _is_age(texts, token, first, last):
            age = texts.values[token]
            if 0 < age < seen.size:
                seen[age] = max(seen[age], np.uint8(2 if token < lead else 1))
            before = _kind(texts, token - 1, first, last)
            if joined or before in (AGED, AGES):
                listed = token
                several = joined or before == AGES


@numba.njit(cache=True, nogil=True)
def _lead_end(marks: npt.NDArray[np.uint8], first: int, last: int, sentences: int) -> int:
    """Where the first sentences of a text end, exclusive."""
    token = first
    for _ in range(sentences):
        if token < last:
            token = sentence_end(marks, token, last)
    return token


@numba.njit(cache=True, nogil=True)
def _ages(
    titles: FactTokens, texts: FactTokens, lead_sentences: int, max_age: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Give ages and lead ages: rows 0 and 1 of values and offsets."""
    title_offsets, offsets = titles.marked.offsets, texts.marked.offsets
    n = offsets.size - 1
    # A number is one age at most.
    numbers = np.count_nonzero(titles.digits) + np.count_nonzero(texts.digits)
    ages = np.empty((2, numbers), np.uint8)
    age_offsets = np.zeros((2, n + 1), np.int64)
    seen = np.empty(max_age + 1, np.uint8)
    for i in range(n):
        seen[:] = 0
        first, last = title_offsets[i], title_offsets[i + 1]
        _mark_ages(titles, first, last, last, seen)
        first, last = offsets[i], offsets[i + 1]
        lead = _lead_end(texts.marked.marks, first, last, lead_sentences)
        _mark_ages(texts, first, lead, last, seen)
        for row in range(2):
            written = age_offsets[row, i]
            for age in range(seen.size):
                if seen[age] > row:
                    ages[row, written] = age
                    written += 1
            age_offsets[row, i + 1] = written
    return ages, age_offsets
