"""Line vocabulary: the words that rules of lines need, in one table.

Every phrase, label, name and kind of word that a rule asks for leaves the hashes of its
words here, and compiled loops look the words of a line up. The table is made of the very
phrase files that the rules are, so it cannot lag behind. What is not in it is in no rule.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.credits import known_names, label_starts, origin_notes
from transforms.line_signs import GLUED
from transforms.line_words import chain, joined
from transforms.phrases import MARKS, phrases
from transforms.tokens import tokenize

# What the words of the table are to the rules: how a phrase begins, all of it, how one of
# open length begins, how one ends, two words within one; and kinds of single words.
BEGINS, WHOLE, OPEN, ENDS, INSIDE, NOTE, A_NAME = (1 << bit for bit in range(7))
A_LABEL, A_LINK, DATE, MONTH, SHARE, MENU, WEATHER = (1 << bit for bit in range(7, 14))
BY, PHOTO, CREDIT, AGENCY, NAME_OPENS = (1 << bit for bit in range(14, 19))

# Words of a phrase that are looked for at either end of a line.
_MOST_WORDS = 4
FILTER = 1 << 16
# What a word may be: the first of some within a phrase or note, or of a name; of a kind.
OPENS_PHRASE, OPENS_NAME, OF_KIND = 1, 2, 4
_KINDS = DATE | MONTH | SHARE | MENU | WEATHER | PHOTO | CREDIT | AGENCY
# Names have at most so many words.
_NAME_WORDS = 8


class Vocabulary(NamedTuple):
    """The words of all rules.

    Attributes:
      keys: uint64, shape (s,), a power of two. Chains of words, hashed by open addressing.
      bits: uint32, shape (s,). What they are to the rules; 0 where there is none.
      may: uint8, shape (FILTER,). By the low bits of a word, what it may be, as bits:
        OPENS_PHRASE, OPENS_NAME, OF_KIND. Nearly all words are none of it, and are not
        looked up.
    """

    keys: npt.NDArray[np.uint64]
    bits: npt.NDArray[np.uint32]
    may: npt.NDArray[np.uint8]


@functools.cache
def vocabulary() -> Vocabulary:
    """Make the table of all phrase files and of the credits."""
    noted: list[tuple[Sequence[str], int]] = []
    for place, rule in phrases().rules:
        head = rule[: rule.index("...")] if "..." in rule else rule
        if "©" in head and not _plain(head):
            continue  # a line with that mark is read
        if place == "whole" and head is rule:
            noted.append((_plain(rule), WHOLE))
        elif place == "contains":
            noted.append((_telling_run(rule), INSIDE))
        else:
            # Rules that end a line are read from their end.
            bit = {"whole": OPEN, "begins": BEGINS, "ends": ENDS}[place]
            noted.append((_first_words(head), bit))
    noted += [(_telling_run(note.split()), NOTE) for note in origin_notes()]
    noted += [(_plain(name), A_NAME) for name in known_names()]
    noted += [(_plain(name, 1), NAME_OPENS) for name in known_names()]
    noted += [((label,), A_LABEL) for label in label_starts()]
    kinds = phrases().words
    for bit, names in (
        (A_LINK, ("links",)),
        (DATE, ("date", "month", "weekday")),
        (MONTH, ("month",)),
        (SHARE, ("share",)),
        (MENU, ("menu",)),
        (WEATHER, ("weather",)),
        (BY, ("by",)),
        (PHOTO, ("photo",)),
        (CREDIT, ("photo", "camera", "agency")),
        (AGENCY, ("agency",)),
    ):
        noted += [((word,), bit) for name in names for word in sorted(kinds[name])]
    noted.append((("press",), CREDIT | AGENCY))
    return _table(noted)


def _plain(rule: Iterable[str], most: int | None = None) -> tuple[str, ...]:
    """Give the first words of a rule as a line's hashes show them: no marks, any number.

    Numbers side by side are one.
    """
    words: list[str] = []
    for word in rule:
        if word in MARKS:
            continue
        word = "0" if word == "#" or word.isdecimal() else word
        if not (word == "0" and words[-1:] == ["0"]):
            words.append(word)
    return tuple(words[:most])


def _first_words(head: Sequence[str]) -> tuple[str, ...]:
    """Give the first words of a rule that a line must have as words of their own.

    Some words may be joined to a number: it is left out before these and at the end.
    """
    words = _plain(head)
    for place, word in enumerate(words):
        if place and word == "0" and (place + 1 == len(words) or words[place + 1] in GLUED):
            words = words[:place]
            break
    words = words[:_MOST_WORDS]
    while len(words) > 1 and words[-1] in GLUED:
        words = words[:-1]
    return words


def _telling_run(rule: Sequence[str]) -> tuple[str, ...]:
    """Give up to three words side by side in a rule, those that have most letters.

    None of the outer ones is joined to a number unseen.
    """
    parts: list[list[str]] = [[]]
    for word in rule:
        if word in ("...", "#") or word.isdecimal():
            parts.append([])
        elif word not in MARKS:
            parts[-1].append(word)
    runs = [
        tuple(part[start:end])
        for part in parts
        for start in range(len(part))
        for end in range(start + 1, min(start + _MOST_WORDS, len(part)) + 1)
    ]
    runs = [run for run in runs if GLUED.isdisjoint((run[0], run[-1]))]
    return max(runs, key=lambda run: (sum(map(len, run)), run))


def _table(noted: Sequence[tuple[Sequence[str], int]]) -> Vocabulary:
    words = sorted({word for ways, _ in noted for word in ways})
    tokens = tokenize(pa.array(words, pa.string()))
    hashes = {
        word: tokens.hashes[start:end]
        for word, start, end in zip(
            words, tokens.offsets[:-1], tokens.offsets[1:], strict=True
        )
    }
    ways = [np.concatenate([hashes[word] for word in way]) for way, _ in noted]
    offsets = np.concatenate(([0], np.cumsum([way.size for way in ways])))
    flat = np.concatenate(ways)
    keys = chain(flat, offsets)
    bits = np.array([bit for _, bit in noted], np.uint32)
    may = np.zeros(FILTER, np.uint8)
    low = (flat[offsets[:-1]] & np.uint64(FILTER - 1)).astype(np.int64)
    for found, bit in (
        (INSIDE | NOTE, OPENS_PHRASE),
        (NAME_OPENS, OPENS_NAME),
        (_KINDS, OF_KIND),
    ):
        may[low[(bits & found) > 0]] |= bit
    size = 1 << int(4 * keys.size).bit_length()
    table, held = _placed(keys, bits, size)
    return Vocabulary(table, held, may)


@numba.njit(cache=True, nogil=True)
def _placed(
    keys: npt.NDArray[np.uint64], bits: npt.NDArray[np.uint32], size: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    """Lay keys into a table of open addressing; bits of equal keys are joined."""
    table = np.zeros(size, np.uint64)
    held = np.zeros(size, np.uint32)
    for row in range(keys.size):
        place = keys[row] & np.uint64(size - 1)
        while held[place] and table[place] != keys[row]:
            place = (place + np.uint64(1)) & np.uint64(size - 1)
        table[place] = keys[row]
        held[place] |= bits[row]
    return table, held


@numba.njit(cache=True, nogil=True)
def look_up(
    table: npt.NDArray[np.uint64], held: npt.NDArray[np.uint32], key: np.uint64
) -> np.uint32:
    """Give what a chain of words is to the rules, as bits; 0 for nothing."""
    place = key & np.uint64(table.size - 1)
    while held[place]:
        if table[place] == key:
            return held[place]
        place = (place + np.uint64(1)) & np.uint64(table.size - 1)
    return np.uint32(0)


@numba.njit(cache=True, nogil=True)
def words_inside(
    own: npt.NDArray[np.uint64],
    short: bool,
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
    may: npt.NDArray[np.uint8],
) -> np.uint32:
    """Give what is known of any few words side by side in a line."""
    found = np.uint32(0)
    if not short:
        return found
    for place in range(own.size):
        if may[own[place] & np.uint64(FILTER - 1)] & np.uint8(OPENS_PHRASE):
            key = np.uint64(0)
            for after in range(place, min(place + _MOST_WORDS, own.size)):
                key = joined(key, own[after])
                found |= look_up(table, held, key)
    return found


@numba.njit(cache=True, nogil=True)
def holds_name(
    own: npt.NDArray[np.uint64],
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
    may: npt.NDArray[np.uint8],
) -> bool:
    """Tell whether words side by side are the name of an agency or outlet."""
    for start in range(own.size):
        if not may[own[start] & np.uint64(FILTER - 1)] & np.uint8(OPENS_NAME):
            continue
        key = joined(np.uint64(0), own[start])
        found = look_up(table, held, key)
        if not found & np.uint32(NAME_OPENS):
            continue
        for place in range(start + 1, min(start + _NAME_WORDS, own.size) + 1):
            if found & np.uint32(A_NAME):
                return True
            if place < own.size:
                key = joined(key, own[place])
                found = look_up(table, held, key)
    return False


@numba.njit(cache=True, nogil=True)
def all_words(
    own: npt.NDArray[np.uint64],
    start: int,
    number: np.uint64,
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
) -> np.uint32:
    """Give what is known of all words of a line from one on, numbers joined."""
    key = np.uint64(0)
    before = np.uint64(0)
    for place in range(start, own.size):
        if own[place] != number or before != number:
            key = joined(key, own[place])
        before = own[place]
    return look_up(table, held, key)


@numba.njit(cache=True, nogil=True)
def at_end(
    own: npt.NDArray[np.uint64],
    step: int,
    number: np.uint64,
    table: npt.NDArray[np.uint64],
    held: npt.NDArray[np.uint32],
) -> np.uint32:
    """Give what is known of the first words of a line, or with step -1 of the last."""
    found = np.uint32(0)
    key = np.uint64(0)
    before = np.uint64(0)
    count = 0
    place = 0 if step > 0 else own.size - 1
    while 0 <= place < own.size and count < _MOST_WORDS:
        if own[place] != number or before != number:
            key = joined(key, own[place])
            found |= look_up(table, held, key)
            count += 1
        before = own[place]
        place += step
    return found
