"""Normalisation: one text, one spelling, so that equal texts have equal bytes.

Texts differ by what no reader sees: how lines end, whether an accent is a character of
its own, character references that a scraper left. All of it is settled once, here, and
so is the hash by which equal contents are found.

Nearly every text is in order as it comes. Compiled loops over the UTF-8 buffer of a whole
column find the few that may not be, and only those become Python strings. What the loops
let through is in order for certain: a text of characters that neither compose nor reorder
is in NFC.

The Unicode Standard, annex 15 (normalisation forms), section 9 (its quick check).
"""

import functools
import html
import itertools
import unicodedata
from collections.abc import Callable, Sequence

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

Bytes = npt.NDArray[np.uint8]
Bounds = npt.NDArray[np.int64]

# What ends a line beside "\n"; the first must come first.
LINE_ENDS = ("\r\n", "\r", "\v", "\f", "\u2028", "\u2029")

# The table of characters covers the first two planes. Those above are looked at in Python.
_TABLE_SIZE = 0x20000
# What a character may be, as bits.
_WHITE_SPACE = np.uint8(1)
_UNSURE = np.uint8(2)
_HANGUL_JAMO = range(0x1100, 0x1200)
_SPACE, _AMPERSAND, _SEMICOLON = np.uint8(ord(" ")), np.uint8(ord("&")), np.uint8(ord(";"))
_NEWLINE, _TAB = np.uint8(ord("\n")), np.uint8(ord("\t"))
_ONE = np.uint64(1)
# Bytes that are compared at a time.
_BLOCK = np.uint64(16)


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


def clean_texts(texts: pa.Array) -> pa.Array:
    """Give `clean_text` of each text; a null becomes ""."""
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    return _changed(texts, _may_need_cleaning(*utf8(texts), _characters()), clean_text)


def one_lines(texts: pa.Array) -> pa.Array:
    """Give `one_line` of each text; null where it is None."""
    may_differ = _may_need_folding(*utf8(texts), _characters())
    may_differ &= texts.is_valid().to_numpy(zero_copy_only=False)
    return _changed(texts, may_differ, one_line)


def content_keys(titles: pa.Array, texts: pa.Array) -> npt.NDArray[np.uint64]:
    """Give a 64-bit hash of each title and text that white space does not change.

    Args:
      titles: n texts without NUL, or nulls.
      texts: n texts without NUL.
    """
    return hashes(*_folded(*utf8(titles), *utf8(texts), _characters()))


def hashes(data: Bytes, bounds: Bounds) -> npt.NDArray[np.uint64]:
    """Give the 64-bit XXH3 of each text: shape (n,).

    Args:
      data: n texts in UTF-8, one after the other.
      bounds: shape (n + 1,). Text i is data[bounds[i]:bounds[i + 1]].
    """
    view = data.data
    places = itertools.pairwise(bounds.tolist())
    found = [xxhash.xxh3_64_intdigest(view[start:end]) for start, end in places]
    return np.array(found, np.uint64)


def utf8(texts: pa.Array) -> tuple[Bytes, Bounds]:
    """Give the bytes of n texts, and their bounds as in `hashes`; a null has no byte."""
    if texts.null_count:
        texts = pc.fill_null(texts, "")
    _, bounds, data = texts.buffers()
    if not len(texts):
        return np.frombuffer(b"", np.uint8), np.zeros(1, np.int64)
    width = np.dtype(np.int32)
    starts = np.frombuffer(bounds, width, len(texts) + 1, texts.offset * width.itemsize)
    content = np.frombuffer(data if data is not None and data.size else b"", np.uint8)
    # Loops are compiled once more for arrays that may be written to.
    content.flags.writeable = False
    return content, starts.astype(np.int64)


def with_values(
    column: pa.Array, rows: npt.NDArray[np.integer], values: Sequence[str | None]
) -> pa.Array:
    """Give a column with the values of some rows, ascending, replaced."""
    if not len(rows):
        return column
    replaced = np.zeros(len(column), bool)
    replaced[rows] = True
    return pc.replace_with_mask(column, replaced, pa.array(values, column.type))


def _changed(
    texts: pa.Array, may_differ: npt.NDArray[np.bool_], change: Callable[[str], str | None]
) -> pa.Array:
    rows = np.flatnonzero(may_differ)
    values = texts.take(pa.array(rows)).to_pylist() if len(rows) else []
    return with_values(texts, rows, [change(value) for value in values])


@functools.cache
def _characters() -> Bytes:
    """Say of each character whether it is white space, and whether it is left to Python.

    It is, if a text that holds it may need cleaning: a line end, a NUL, or a character
    that composes with others or changes its place among them.
    """
    table = np.zeros(_TABLE_SIZE, np.uint8)
    for code in range(_TABLE_SIZE):
        character = chr(code)
        if character.isspace():
            table[code] |= _WHITE_SPACE
        if unicodedata.combining(character) or not unicodedata.is_normalized(
            "NFC", character
        ):
            table[code] |= _UNSURE
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            table[int(parts[1], 16)] |= _UNSURE
    for character in ("\0", *LINE_ENDS[1:]):
        table[ord(character)] |= _UNSURE
    table[_HANGUL_JAMO.start : _HANGUL_JAMO.stop] |= _UNSURE
    return table


# Places are unsigned in the loops: a signed one is asked each time whether it counts from
# the end, and bytes are then not compared sixteen at a time.


@numba.njit(cache=True, nogil=True)
def _character(data: Bytes, place: np.uint64, table: Bytes) -> tuple[np.uint8, np.uint64]:
    """Give what the character at a place is, and how many bytes it has."""
    first = np.uint32(data[place])
    if first < 0x80:
        return table[first], _ONE
    second = np.uint32(data[place + _ONE] & 0x3F)
    if first < 0xE0:
        return table[(first & 0x1F) << 6 | second], np.uint64(2)
    third = np.uint32(data[place + np.uint64(2)] & 0x3F)
    if first < 0xF0:
        return table[(first & 0x0F) << 12 | second << 6 | third], np.uint64(3)
    fourth = np.uint32(data[place + np.uint64(3)] & 0x3F)
    code = (first & 0x07) << 18 | second << 12 | third << 6 | fourth
    return (table[code] if code < len(table) else _UNSURE), np.uint64(4)


@numba.njit(cache=True, nogil=True)
def _may_need_cleaning(data: Bytes, bounds: Bounds, table: Bytes) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(bounds) - 1, np.bool_)
    for row in range(len(found)):
        start, end = np.uint64(bounds[row]), np.uint64(bounds[row + 1])
        unsure = ampersand = semicolon = wide = np.uint8(0)
        for at in range(start, end):
            byte = data[at]
            unsure |= np.uint8((byte < 0x20) & (byte != _NEWLINE) & (byte != _TAB))
            ampersand |= np.uint8(byte == _AMPERSAND)
            semicolon |= np.uint8(byte == _SEMICOLON)
            wide |= byte & np.uint8(0x80)
        place = start
        while wide and place < end and not unsure:
            stop = min(place + _BLOCK, end)
            if not _is_wide(data, place, stop):
                place = stop
            while place < stop:
                kind, size = _character(data, place, table)
                unsure |= kind & _UNSURE
                place += size
        found[row] = (
            unsure
            or (ampersand and semicolon and _may_hold_reference(data, start, end))
            or _is_blank(data, start, end, table)
        )
    return found


@numba.njit(cache=True, nogil=True)
def _may_hold_reference(data: Bytes, place: np.uint64, end: np.uint64) -> bool:
    """Tell whether a "&" stands before anything but a space."""
    while place + _ONE < end:
        if data[place] == _AMPERSAND and data[place + _ONE] != _SPACE:
            return True
        place += _ONE
    return False


@numba.njit(cache=True, nogil=True)
def _is_wide(data: Bytes, place: np.uint64, stop: np.uint64) -> np.bool_:
    """Tell whether there is a byte that is not ASCII."""
    wide = np.uint8(0)
    for at in range(place, stop):
        wide |= data[at]
    return wide >= 0x80


@numba.njit(cache=True, nogil=True)
def _is_blank(data: Bytes, place: np.uint64, end: np.uint64, table: Bytes) -> bool:
    while place < end:
        kind, size = _character(data, place, table)
        if not kind & _WHITE_SPACE:
            return False
        place += size
    return True


@numba.njit(cache=True, nogil=True)
def _may_need_folding(data: Bytes, bounds: Bounds, table: Bytes) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(bounds) - 1, np.bool_)
    for row in range(len(found)):
        place, end = np.uint64(bounds[row]), np.uint64(bounds[row + 1])
        ampersand = semicolon = False
        # A line begins and ends with no space and holds no two together.
        after_space = True
        while place < end and not found[row]:
            kind, size = _character(data, place, table)
            byte = data[place]
            is_space = byte == _SPACE
            is_white = (kind & _WHITE_SPACE) != 0
            found[row] = (kind & _UNSURE) or (is_white and (after_space or not is_space))
            after_space = is_space
            ampersand |= byte == _AMPERSAND
            semicolon |= byte == _SEMICOLON
            place += size
        found[row] |= after_space or (ampersand and semicolon)
    return found


@numba.njit(cache=True, nogil=True)
def _folded(
    titles: Bytes, title_bounds: Bounds, texts: Bytes, text_bounds: Bounds, table: Bytes
) -> tuple[Bytes, Bounds]:
    """Give, of each row, the words of its title, a NUL and the words of its text.

    One space stands between two of them.
    """
    rows = len(text_bounds) - 1
    size = title_bounds[-1] - title_bounds[0] + text_bounds[-1] - text_bounds[0]
    # A blank more may be written than stays.
    folded = np.empty(size + 4 * rows, np.uint8)
    bounds = np.zeros(rows + 1, np.int64)
    end = np.uint64(0)
    for row in range(rows):
        begun = end
        end = _fold(titles, title_bounds[row], title_bounds[row + 1], table, folded, end)
        if end > begun:
            folded[end] = _SPACE
            end += _ONE
        folded[end] = 0
        folded[end + _ONE] = _SPACE
        words = end + np.uint64(2)
        end = _fold(texts, text_bounds[row], text_bounds[row + 1], table, folded, words)
        if end == words:
            end -= _ONE
        bounds[row + 1] = end
    return folded[: bounds[-1]], bounds


@numba.njit(cache=True, nogil=True)
def _fold(
    data: Bytes, start: int, stop: int, table: Bytes, folded: Bytes, written: np.uint64
) -> np.uint64:
    """Copy a text, each run of white space as one space and none around; give the end."""
    begun = written
    place, end = np.uint64(start), np.uint64(stop)
    after_space = True
    while place < end:
        block = min(place + _BLOCK, end)
        if block < end and _is_folded(data, place, block, after_space):
            for at in range(place, block):
                byte = data[at]
                folded[written + at - place] = _SPACE if byte == _NEWLINE else byte
            written += _BLOCK
            place = block
            after_space = data[place - _ONE] <= _SPACE
        while place < block:
            kind, size = _character(data, place, table)
            is_white = (kind & _WHITE_SPACE) != 0
            if size == _ONE or is_white:
                folded[written] = _SPACE if is_white else data[place]
                # No branch: where words end, it would be guessed wrong.
                written += np.uint64(not (is_white & after_space))
            else:
                for at in range(place, place + size):
                    folded[written] = data[at]
                    written += _ONE
            after_space = is_white
            place += size
    return written - _ONE if after_space and written > begun else written


@numba.njit(cache=True, nogil=True)
def _is_folded(
    data: Bytes, place: np.uint64, stop: np.uint64, after_space: bool
) -> np.bool_:
    """Tell whether some bytes are ASCII, and " " or a line end stand alone among them.

    One more byte follows them.
    """
    odd = np.uint8(after_space and data[place] <= _SPACE)
    for at in range(place, stop):
        byte, following = data[at], data[at + _ONE]
        odd |= np.uint8(
            (byte >= 0x80)
            | ((byte < _SPACE) & (byte != _NEWLINE))
            | ((byte <= _SPACE) & (following <= _SPACE))
        )
    return odd == 0
