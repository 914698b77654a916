r"""Tokens: the words of a text as 64-bit hashes, and hashes of runs of words.

A token is what the pattern `\w+('\w+)?` finds in the text after case folding. Texts that
differ in nothing a reader would notice give equal tokens: curly and straight apostrophes
are one character, soft hyphens and zero-width characters are skipped, half-width and
full-width forms are one, an accent may be written composed or decomposed, and decimal
digits of every script are the same digits. Combining marks stay in their word.

Chinese, Japanese, Thai, Lao, Khmer and Burmese put no space between words. There every two
neighbouring characters are a token, which finds shared passages as well as words do and
needs no dictionary (J. Y. Nie and J. Gao, "On the use of words and n-grams for Chinese
information retrieval", 2000). A character alone is a token by itself.

No string is made: a compiled kernel walks once over the UTF-8 buffer of an Arrow array,
hashes each token as it goes, and shingles are mixed from neighbouring token hashes. Two of
a million distinct tokens share a hash with probability below 1e-7.

A. Broder, "On the resemblance and containment of documents", 1997 (shingles);
R. Karp and M. Rabin, "Efficient randomized pattern-matching algorithms", 1987 (rolling).
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.code_points import (
    APOSTROPHE,
    CLASS_SHIFT,
    EXPANDS,
    IDEOGRAPHS_END,
    IGNORED,
    LOW_BITS,
    MARK,
    OTHER,
    SEPARATOR,
    TABLE_SIZE,
    UNSPACED,
    WORD,
    code_point_tables,
)

# Part of what a stored hash means. Any change to the folding, to what a token is or to how
# it is hashed needs a new version, because hashes of two versions do not compare.
TOKEN_HASH_VERSION = 1

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_START = np.uint64(0x243F6A8885A308D3)
_APOSTROPHE_CODE = np.uint32(0x27)


class Tokens(NamedTuple):
    """The tokens of n texts, one text after the other.

    Attributes:
      hashes: uint64, shape (s,). The hash of each token.
      starts: int32, shape (s,). Where it begins, in characters of its text.
      ends: int32, shape (s,). Where it ends, exclusive, in characters of its text.
      offsets: int64, shape (n + 1,). Text i owns tokens offsets[i] to offsets[i + 1].
    """

    hashes: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]


def tokenize(texts: pa.Array) -> Tokens:
    """Find and hash the tokens of each text.

    Args:
      texts: n texts, `string` or `large_string`. A null is a text without tokens.

    Raises:
      ValueError: if `texts` is not an array of strings.
    """
    data, bounds = _utf8(texts)
    return Tokens(*_tokenize(data, bounds, *code_point_tables()))


def count_words(texts: pa.Array) -> npt.NDArray[np.int32]:
    """Count the tokens of each text; int32, shape (n,). A null has none."""
    return np.diff(tokenize(texts).offsets).astype(np.int32)


def text_keys(tokens: Tokens) -> npt.NDArray[np.uint64]:
    """Hash all tokens of each text in order; uint64, shape (n,).

    Equal for texts that differ in case, punctuation and white space alone. All texts
    without a token share one key.
    """
    return _text_keys(tokens.hashes, tokens.offsets)


def shingle_hashes(
    tokens: Tokens, size: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Hash every run of `size` consecutive tokens, in order, repeats included.

    A text shorter than a shingle is its own shingle; a text without a token has none, for
    a set that holds the empty shingle would equal that of every other empty text.

    Args:
      tokens: of n texts.
      size: tokens a shingle.

    Returns:
      hashes: uint64, shape (s,), of all n texts.
      offsets: int64, shape (n + 1,). Text i owns hashes[offsets[i]:offsets[i + 1]].

    Raises:
      ValueError: if size is not positive.
    """
    if size < 1:
        raise ValueError(f"shingle size must be at least 1 token, got {size}")
    return _shingle_hashes(tokens.hashes, tokens.offsets, size)


def shingle_sets(
    tokens: Tokens, size: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Give the distinct shingles of each text, ascending; else as `shingle_hashes`."""
    hashes, offsets = shingle_hashes(tokens, size)
    return distinct(hashes, offsets)


def distinct(
    values: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Sort each list and drop its repeats.

    Args:
      values: shape (s,), of n lists, one after the other.
      offsets: shape (n + 1,). List i is values[offsets[i]:offsets[i + 1]].

    Returns:
      Values and offsets of the same shape and meaning.
    """
    return _distinct(values, offsets)


@numba.njit(cache=True, nogil=True)
def mix64(value: np.uint64) -> np.uint64:
    """Spread every bit of a 64-bit value over all bits: MurmurHash3's finaliser."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return value


def _utf8(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Give the UTF-8 bytes of the texts and where each begins and ends."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise ValueError(f"texts must be an array of strings, got {texts.type}")
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    width = np.dtype(np.int32 if pa.types.is_string(texts.type) else np.int64)
    _, bounds, data = texts.buffers()
    if not len(texts):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    starts = np.frombuffer(
        bounds, width, count=len(texts) + 1, offset=texts.offset * width.itemsize
    )
    empty = data is None or not data.size
    content = np.empty(0, np.uint8) if empty else np.frombuffer(data, np.uint8)
    return content, starts.astype(np.int64)


@numba.njit(cache=True, nogil=True)
def _absorb(state: np.uint64, code: np.uint32) -> np.uint64:
    """Take one code point into the hash of a token."""
    return (state ^ np.uint64(code)) * _MULTIPLIER


@numba.njit(cache=True, nogil=True)
def _absorb_entry(
    state: np.uint64, entry: np.uint32, expansions: npt.NDArray[np.uint32]
) -> np.uint64:
    """Take the code points of a table entry into the hash of a token."""
    if not entry & np.uint32(EXPANDS):
        return _absorb(state, entry & np.uint32(LOW_BITS))
    first = np.int64(entry & np.uint32(LOW_BITS))
    for place in range(first + 1, first + 1 + np.int64(expansions[first])):
        state = _absorb(state, expansions[place])
    return state


@numba.njit(cache=True, nogil=True)
def _tokenize(
    data: npt.NDArray[np.uint8],
    bounds: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint32],
    expansions: npt.NDArray[np.uint32],
    ascii_letters: npt.NDArray[np.uint8],
) -> tuple[
    npt.NDArray[np.uint64],
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.int64],
]:
    n = bounds.size - 1
    # A word takes a byte and a separator, an unspaced character three bytes.
    most = (bounds[n] - bounds[0]) // 2 + n + 1
    hashes = np.empty(most, np.uint64)
    starts = np.empty(most, np.int32)
    ends = np.empty(most, np.int32)
    offsets = np.zeros(n + 1, np.int64)
    count = 0
    for i in range(n):
        place, stop = bounds[i], bounds[i + 1]
        position = -1  # of the current code point, in characters
        run = SEPARATOR  # what the walk is in: nothing, WORD or UNSPACED
        state = _START  # hash of the word or unspaced character so far
        start = end = 0  # where that begins and ends
        pending = False  # an apostrophe ended the word, or joins it: the next one tells
        joined = False  # the word holds an apostrophe already
        previous, previous_start = _START, -1  # the unspaced character before this one
        while place <= stop:
            if run == SEPARATOR:
                # Most of most texts is walked here: words of ASCII letters, and between.
                letter = np.uint8(OTHER)
                while place < stop:
                    letter = ascii_letters[data[place]]
                    if letter:
                        break
                    place += 1
                    position += 1
                first = place
                state = _START
                while place < stop:
                    letter = ascii_letters[data[place]]
                    if letter == 0 or letter == OTHER:
                        break
                    state = _absorb(state, letter)
                    place += 1
                if place > first:
                    start = position + 1
                    position += place - first
                    end = position + 1
                    if letter == 0:
                        hashes[count] = mix64(state)
                        starts[count] = start
                        ends[count] = end
                        count += 1
                        continue
                    run = WORD
            position += 1
            if place == stop:  # the end closes a run as a separator does
                entry = np.uint32(0)
                place += 1
            else:
                code = np.uint32(data[place])
                if code < 0x80:
                    place += 1
                elif code < 0xE0:
                    code = (code & 0x1F) << 6 | data[place + 1] & 0x3F
                    place += 2
                elif code < 0xF0:
                    code = (code & 0x0F) << 12 | (data[place + 1] & 0x3F) << 6
                    code |= data[place + 2] & 0x3F
                    place += 3
                else:
                    code = (code & 0x07) << 18 | (data[place + 1] & 0x3F) << 12
                    code |= (data[place + 2] & 0x3F) << 6 | data[place + 3] & 0x3F
                    place += 4
                if code < TABLE_SIZE:
                    entry = table[code]
                elif code < IDEOGRAPHS_END:
                    entry = np.uint32(UNSPACED << CLASS_SHIFT | code)
                else:  # above are selectors, tags and private use
                    entry = np.uint32(IGNORED << CLASS_SHIFT)
            found = entry >> CLASS_SHIFT

            if found == WORD and run == WORD:
                if pending:
                    state = _absorb(state, _APOSTROPHE_CODE)
                    pending, joined = False, True
                state = _absorb_entry(state, entry, expansions)
                end = position + 1
                continue
            if found == IGNORED:
                continue
            if found == MARK and run != SEPARATOR and not pending:
                state = _absorb_entry(state, entry, expansions)
                end = position + 1
                continue
            if found == APOSTROPHE and run == WORD and not pending and not joined:
                pending = True
                continue

            if run == WORD or (run == UNSPACED and previous_start < 0):
                # A word ends; or an unspaced character, alone if nothing follows it.
                if run == WORD or found != UNSPACED:
                    hashes[count] = mix64(state)
                    starts[count] = start
                    ends[count] = end
                    count += 1
            elif run == UNSPACED:
                hashes[count] = mix64(mix64(previous) + state * _MULTIPLIER)
                starts[count] = previous_start
                ends[count] = end
                count += 1
            if found == UNSPACED and run == UNSPACED:
                previous, previous_start = state, start
            else:
                previous_start = -1
            pending = joined = False
            run = SEPARATOR
            if found in (WORD, UNSPACED):
                run = int(found)
                state = _absorb_entry(_START, entry, expansions)
                start, end = position, position + 1
        offsets[i + 1] = count
    return hashes[:count], starts[:count], ends[:count], offsets


@numba.njit(cache=True, nogil=True)
def _text_keys(
    hashes: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    keys = np.empty(offsets.size - 1, np.uint64)
    for i in range(keys.size):
        state = _START
        for token in range(offsets[i], offsets[i + 1]):
            state = state * _MULTIPLIER + hashes[token]
        keys[i] = mix64(state)
    return keys


@numba.njit(cache=True, nogil=True)
def _shingle_hashes(
    hashes: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64], size: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    n = offsets.size - 1
    bounds = np.zeros(n + 1, np.int64)
    for i in range(n):
        words = offsets[i + 1] - offsets[i]
        bounds[i + 1] = bounds[i] + (min(words, 1) if words < size else words - size + 1)
    shingles = np.empty(bounds[n], np.uint64)
    # Weight of the token that leaves when the window moves on by one.
    leaving = np.uint64(1)
    for _ in range(size - 1):
        leaving *= _MULTIPLIER
    for i in range(n):
        if bounds[i] == bounds[i + 1]:
            continue
        first = offsets[i]
        rolling = np.uint64(0)
        for token in range(first, min(first + size, offsets[i + 1])):
            rolling = rolling * _MULTIPLIER + hashes[token]
        shingles[bounds[i]] = mix64(rolling)
        for k in range(1, bounds[i + 1] - bounds[i]):
            rolling -= hashes[first + k - 1] * leaving
            rolling = rolling * _MULTIPLIER + hashes[first + k + size - 1]
            shingles[bounds[i] + k] = mix64(rolling)
    return shingles, bounds


@numba.njit(cache=True, nogil=True)
def _distinct(
    values: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    n = offsets.size - 1
    longest = 0
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    bits = 1
    while 1 << bits < longest:
        bits += 1
    begins = np.empty((1 << bits) + 1, np.int64)
    ordered = np.empty(longest, np.uint64)
    bounds = np.zeros(n + 1, np.int64)
    kept = np.empty(offsets[n] - offsets[0], np.uint64)
    count = 0
    for i in range(n):
        own = values[offsets[i] : offsets[i + 1]]
        # Hashes spread evenly, so a bucket per value by the high bits leaves little to
        # sort: six times faster than a comparing sort.
        bits = 1
        while 1 << bits < own.size:
            bits += 1
        shift = np.uint64(64 - bits)
        begins[: (1 << bits) + 1] = 0
        for value in own:
            begins[(value >> shift) + np.uint64(1)] += 1
        for bucket in range(1 << bits):
            begins[bucket + 1] += begins[bucket]
        for value in own:
            bucket = value >> shift
            ordered[begins[bucket]] = value
            begins[bucket] += 1
        for k in range(1, own.size):
            value = ordered[k]
            place = k
            while place > 0 and ordered[place - 1] > value:
                ordered[place] = ordered[place - 1]
                place -= 1
            ordered[place] = value
        for k in range(own.size):
            if k == 0 or ordered[k] != ordered[k - 1]:
                kept[count] = ordered[k]
                count += 1
        bounds[i + 1] = count
    return kept[:count], bounds
