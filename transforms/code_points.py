"""Code points: what each character is to a tokeniser, and what it folds into.

Case is folded, width is folded (half-width kana, full-width letters), decimal digits of
every script become ASCII digits, and an accented letter becomes the letter and its accent,
so that composed and decomposed spellings are equal. It is Unicode's canonical
decomposition and full case folding, from the tables of the Python in use; 40 milliseconds
once per process.

The Unicode Standard, annex 15 (normalisation forms) and section 3.13 (case folding).
"""

import functools
import unicodedata
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

# A code point's class, in the high byte of its table entry.
SEPARATOR, IGNORED, WORD, UNSPACED, MARK, APOSTROPHE = range(6)
CLASS_SHIFT = 24
# The low bits point into the expansions: this code point folds into several.
EXPANDS = 1 << 23
LOW_BITS = EXPANDS - 1

# The tables cover the first two planes; above are ideographs and nothing else of use.
TABLE_SIZE = 0x20000
IDEOGRAPHS_END = 0x40000

_APOSTROPHES = "'\u2018\u2019\u201b\u02bc\uff07"

# Scripts written without spaces, as first and last code point of their blocks.
_UNSPACED_BLOCKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration mark and zero
    (0x3021, 0x3029),  # Hangzhou numerals
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),  # ideographs, extension A
    (0x4E00, 0x9FFF),  # ideographs
    (0xA9E0, 0xA9FF),  # Myanmar extended-B
    (0xAA60, 0xAA7F),  # Myanmar extended-A
    (0xF900, 0xFAFF),  # compatibility ideographs
    (0x1B000, 0x1B16F),  # historic and small kana
)
_HANGUL_FIRST, _HANGUL_LAST = 0xAC00, 0xD7A3

# A byte that the fast walk over ASCII words leaves to the full one.
OTHER = 0xFF


@functools.cache
def code_point_tables() -> tuple[
    npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint8]
]:
    """Build what is known of each code point: its class and what it folds into.

    Returns:
      table: shape (TABLE_SIZE,). Class in the high byte; below it either the folded code
        point or, with the bit EXPANDS, where its expansion begins.
      expansions: a count and then that many code points, over and over.
      ascii_letters: shape (256,). What each ASCII letter or digit folds into, 0 for what
        separates, OTHER for the apostrophe and the bytes of longer code points.
    """
    table = np.zeros(TABLE_SIZE, np.uint32)
    expansions: list[int] = []
    unspaced = np.zeros(IDEOGRAPHS_END, bool)
    unspaced[TABLE_SIZE:] = True
    for first, last in _UNSPACED_BLOCKS:
        unspaced[first : last + 1] = True

    for code in _individual_code_points():
        character = chr(code)
        category = unicodedata.category(character)
        if character in _APOSTROPHES:
            table[code] = APOSTROPHE << CLASS_SHIFT
        elif category in ("Cf", "Me") or 0xFE00 <= code <= 0xFE0F:
            table[code] = IGNORED << CLASS_SHIFT
        elif category[0] in "LNM" or character == "_":
            folded = _fold(character)
            if unicodedata.category(folded[0])[0] == "M":
                kind = MARK
            elif unspaced[ord(folded[0])] and not folded[0].isdecimal():
                kind = UNSPACED
            else:
                kind = WORD
            if len(folded) == 1:
                table[code] = kind << CLASS_SHIFT | ord(folded)
            else:
                table[code] = kind << CLASS_SHIFT | EXPANDS | len(expansions)
                expansions += [len(folded), *map(ord, folded)]

    for first, last in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF)):
        codes = np.arange(first, last + 1, dtype=np.uint32)
        table[codes] = np.uint32(UNSPACED << CLASS_SHIFT) | codes
    # A Hangul syllable decomposes into two or three letters by arithmetic.
    for code in range(_HANGUL_FIRST, _HANGUL_LAST + 1):
        syllable = code - _HANGUL_FIRST
        letters = [0x1100 + syllable // 588, 0x1161 + syllable % 588 // 28]
        if syllable % 28:
            letters.append(0x11A7 + syllable % 28)
        table[code] = WORD << CLASS_SHIFT | EXPANDS | len(expansions)
        expansions += [len(letters), *letters]
    ascii_letters = np.full(256, OTHER, np.uint8)
    ascii_letters[:0x80] = np.where(table[:0x80], table[:0x80] & LOW_BITS, 0)
    ascii_letters[ord("'")] = OTHER
    return table, np.array(expansions, np.uint32), ascii_letters


def _individual_code_points() -> Iterator[int]:
    """Give the code points that are looked up one by one: no ideograph, no syllable."""
    yield from range(0x3400)
    yield from range(0x4DC0, 0x4E00)
    yield from range(0xA000, _HANGUL_FIRST)
    yield from range(_HANGUL_LAST + 1, 0xD800)
    yield from range(0xF900, TABLE_SIZE)


def _fold(character: str) -> str:
    """Fold width, digits and case of a character, and take its accents off it."""
    if unicodedata.decomposition(character).startswith(("<wide>", "<narrow>")):
        character = unicodedata.normalize("NFKC", character)
    decimal = unicodedata.decimal(character, None)
    if decimal is not None:
        return str(decimal)
    return unicodedata.normalize("NFD", character.casefold())
