"""Fact words: which tokens are months, weekdays, numbers and units of age.

The words are a data file. They are valid in any language at once, because no month of one
language is another's: a text needs no language to be read. What stands between two tokens
is given as a small number, so that a rule reads like the text it matches.
"""

import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.marks import CAPITAL, MarkedTokens, code_point, width
from transforms.tokens import tokenize

# What a token is for days and ages; a month, a weekday and a number have a value.
OTHER, NUMBER, MONTH, WEEKDAY, OF, MONTH_SIGN, YEAR_SIGN, NO_DAY_BEFORE = range(8)
NO_DAY_AFTER, POSTED, YEAR_UNIT, OLD, AGED, AND, RANGE, AGE_ADJECTIVE = range(8, 16)
JAHRE, ALT, ALTER, VON, YEARS, AGED_YEARS, PERSON, LIFETIME = range(16, 24)
ARABIC_YEARS, ARABIC_AGED, AGES, BOTH = range(24, 28)
_KIND_NAMES: Mapping[str, int] = {
    "of": OF,
    "month_sign": MONTH_SIGN,
    "year_sign": YEAR_SIGN,
    "no_day_before": NO_DAY_BEFORE,
    "no_day_after": NO_DAY_AFTER,
    "posted": POSTED,
    "year_unit": YEAR_UNIT,
    "old": OLD,
    "aged": AGED,
    "ages": AGES,
    "both": BOTH,
    "and": AND,
    "range": RANGE,
    "age_adjective": AGE_ADJECTIVE,
    "jahre": JAHRE,
    "alt": ALT,
    "alter": ALTER,
    "von": VON,
    "years": YEARS,
    "aged_years": AGED_YEARS,
    "person": PERSON,
    "lifetime": LIFETIME,
    "arabic_years": ARABIC_YEARS,
    "arabic_aged": ARABIC_AGED,
}
# Flags of a month or weekday, beside its number in the low bits.
DAY_FOLLOWS, CAPITAL_ONLY, VALUE_BITS = 16, 32, 15

# What follows the digits of a number in its token: nothing, "rd", the signs of Korean.
PLAIN, ORDINAL, KOREAN_MONTH, KOREAN_DAY, KOREAN_YEAR, AGE_SUFFIX, UNKNOWN = range(7)

# How weekdays end in the languages that join them with the part of the day.
_JOINED_WEEKDAYS = ("tag", "abend", "woch", "dag")

# The characters between two tokens, one decimal digit each, runs of white space as one:
# ", " is 21.
SPACE, COMMA, STOP, HYPHEN, SLASH, OPEN, CLOSE, LINE, ANY = range(1, 10)


class FactTokens(NamedTuple):
    """The tokens of n texts, as far as days and ages need them.

    Attributes:
      marked: the tokens.
      kinds: uint8, shape (s,). One of the kinds above.
      values: int16, shape (s,). A number, or a month or weekday (Monday is 0) in the
        VALUE_BITS, with flags above them.
      digits: uint8, shape (s,). How many digits a number has; 0 if it is none.
      suffixes: uint8, shape (s,). What follows the digits.
    """

    marked: MarkedTokens
    kinds: npt.NDArray[np.uint8]
    values: npt.NDArray[np.int16]
    digits: npt.NDArray[np.uint8]
    suffixes: npt.NDArray[np.uint8]


def read_facts(tokens: MarkedTokens) -> FactTokens:
    """Find which tokens are months, weekdays, numbers and other words of the data file."""
    return FactTokens(tokens, *_classify(tokens, *_word_table()))


@functools.cache
def _fact_words() -> dict[str, Any]:
    file = importlib.resources.files("transforms") / "data" / "fact_words.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


@functools.cache
def _word_table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int16]]:
    """Lay the words out as an open hash table of token hashes.

    Returns:
      keys: shape (m,), m a power of two. Zero where the table is empty.
      entries: shape (m, 2). Kind and value.
    """
    words = _fact_words()
    after = set(words["day_follows"].split())
    capital = set(words["capital_only"].split())
    meanings: dict[str, tuple[int, int]] = {}

    def learn(word: str, kind: int, value: int) -> None:
        if meanings.setdefault(word, (kind, value)) != (kind, value):
            raise ValueError(f"a fact word must stand in one list, got {word} in two")

    for name, kind in _KIND_NAMES.items():
        for word in words[name].split():
            learn(word, kind, 0)
    for number, forms in enumerate(words["weekdays"]):
        for word in forms.split():
            learn(word, WEEKDAY, number | (CAPITAL_ONLY if word in capital else 0))
            if word.endswith(_JOINED_WEEKDAYS):
                for part in words["day_parts"].split():
                    learn(word + part, WEEKDAY, number)
    for name in ("months", "short_months"):
        for number, forms in enumerate(words[name], 1):
            for word in forms.split():
                flags = DAY_FOLLOWS if word in after else 0
                if word in capital or name == "short_months":
                    flags |= CAPITAL_ONLY
                learn(word, MONTH, number | flags)

    tokens = tokenize(pa.array(list(meanings)))
    if tokens.hashes.size != len(meanings):
        raise ValueError(
            f"a fact word must be one token, got {tokens.hashes.size} tokens of "
            f"{len(meanings)} words"
        )
    size = 1 << (4 * len(meanings)).bit_length()
    keys, entries = np.zeros(size, np.uint64), np.zeros((size, 2), np.int16)
    for token_hash, meaning in zip(tokens.hashes, meanings.values(), strict=True):
        place = _table_place(token_hash, keys)
        keys[place] = token_hash
        entries[place] = meaning
    return keys, entries


@numba.njit(cache=True, nogil=True)
def _table_place(token_hash: np.uint64, keys: npt.NDArray[np.uint64]) -> np.int64:
    # The hash of a token is spread over all bits as it is.
    mask = np.uint64(keys.size - 1)
    place = token_hash & mask
    while keys[place] != 0 and keys[place] != token_hash:
        place = (place + np.uint64(1)) & mask
    return np.int64(place)


@numba.njit(cache=True, nogil=True)
def _digit(code: int) -> int:
    """Value of an ASCII, full-width, Arabic or Persian digit; -1 for anything else."""
    for zero in (0x30, 0x660, 0x6F0, 0xFF10):
        if zero <= code < zero + 10:
            return code - zero
    return -1


@numba.njit(cache=True, nogil=True)
def _suffix(data: npt.NDArray[np.uint8], start: int, end: int) -> int:
    """What a token holds after its digits."""
    if start == end:
        return PLAIN
    first = code_point(data, start) | 0x20
    if end - start <= 2 and first < 0x80:
        # st, nd, rd, th, er, re, e, o, a
        return ORDINAL
    code = code_point(data, start)
    if code == 0xBA or code == 0xAA:
        return ORDINAL
    if code == 0xC6D4:
        return KOREAN_MONTH
    if code == 0xC77C:
        return KOREAN_DAY
    if code == 0xB144:
        return KOREAN_YEAR
    if code == 0xC138:
        return AGE_SUFFIX
    if first == 0x74 and _digit(code_point(data, start + 1)) >= 0:
        # "2015-11-03T12:00"
        return PLAIN
    # "21enne" and "21jährige"
    if (first == 0x65 and end - start == 4) or (first == 0x6A and end - start > 5):
        return AGE_SUFFIX
    return UNKNOWN


@numba.njit(cache=True, nogil=True)
def _classify(
    tokens: MarkedTokens, keys: npt.NDArray[np.uint64], entries: npt.NDArray[np.int16]
) -> tuple[
    npt.NDArray[np.uint8],
    npt.NDArray[np.int16],
    npt.NDArray[np.uint8],
    npt.NDArray[np.uint8],
]:
    hashes, starts, ends, marks = tokens.hashes, tokens.starts, tokens.ends, tokens.marks
    data = tokens.data
    count = hashes.size
    kinds = np.zeros(count, np.uint8)
    values = np.zeros(count, np.int16)
    digits = np.zeros(count, np.uint8)
    suffixes = np.zeros(count, np.uint8)
    for token in range(count):
        place = _table_place(hashes[token], keys)
        if keys[place]:
            kind, value = entries[place]
            if not value & CAPITAL_ONLY or marks[token] & CAPITAL:
                kinds[token], values[token] = kind, value
            continue
        byte, end = starts[token], ends[token]
        if data[byte] < 0x80 and not 0x30 <= data[byte] <= 0x39:
            continue
        number = 0
        written = 0
        while byte < end and written < 5:
            digit = _digit(code_point(data, byte))
            if digit < 0:
                break
            number = 10 * number + digit
            written += 1
            byte += width(data[byte])
        if 0 < written < 5:
            kinds[token], values[token], digits[token] = NUMBER, number, written
            suffixes[token] = _suffix(data, byte, end)
    return kinds, values, digits, suffixes


@numba.njit(cache=True, nogil=True, inline="always")
def gap(texts: FactTokens, token: int) -> int:
    """What stands between a token and the next, by the digits above; 9 if much."""
    tokens = texts.marked
    return _gap(tokens.data, tokens.ends[token], tokens.starts[token + 1])


@numba.njit(cache=True, nogil=True)
def _gap(data: npt.NDArray[np.uint8], byte: int, end: int) -> int:
    """What stands between two bytes."""
    if byte > end:
        return ANY
    code = 0
    while byte < end:
        char = code_point(data, byte)
        if char == 0x20 or char == 0xA0 or char == 0x09:
            digit = 0 if code % 10 == SPACE else SPACE
        elif char == 0x2C or char == 0x060C or char == 0x3001 or char == 0xFF0C:
            digit = COMMA
        elif char == 0x2E:
            digit = STOP
        elif char == 0x2D or 0x2010 <= char <= 0x2014:
            digit = HYPHEN
        elif char == 0x2F:
            digit = SLASH
        elif char == 0x28 or char == 0xFF08:
            digit = OPEN
        elif char == 0x29 or char == 0xFF09:
            digit = CLOSE
        elif char == 0x0A or char == 0x0D:
            digit = LINE
        else:
            digit = ANY
        if digit:
            code = 10 * code + digit
            if code > 9999:
                return ANY
        byte += width(data[byte])
    return code
