"""Languages: the language an article says it is in, or the one it looks like.

py3langid's model decides, after Lui and Baldwin's langid.py (2012): a finite automaton
finds the byte sequences that tell languages apart, and naive Bayes adds up what each of
them says. Here both are compiled and walk over all articles of a batch; the model, its
arithmetic and so its answers are the library's. They are poor for a few words, and
between sister languages (Bosnian, Croatian and Serbian; Danish and Norwegian).

M. Lui and T. Baldwin, "langid.py: An Off-the-shelf Language Identification Tool", 2012.
"""

import functools
import re
import unicodedata
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from transforms.normalisation import utf8, with_values

UNDETERMINED = "und"
# What ISO 639-1 has several codes for, or had.
LANGUAGE_ALIASES = {"nb": "no", "nn": "no", "iw": "he", "in": "id", "ji": "yi", "mo": "ro"}
# What an article is told by, in characters: its longest line, else its beginning.
LINE_CHARACTERS, BEGINNING_CHARACTERS = 400, 1_600
MIN_LETTERS = 20
MIN_PROBABILITY = 0.3
# A character of these blocks says as much as three letters.
_IDEOGRAPHS = ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7AF))
IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

# The table of characters covers the first two planes. Those above are looked at in Python.
_TABLE_SIZE = 0x20000
# What a character is: how many letters it counts for, and as bits its case.
_LETTERS, _UPPER, _LOWER = np.uint8(3), np.uint8(4), np.uint8(8)
_NEWLINE = np.uint8(ord("\n"))
# Bytes that are compared at a time.
_BLOCK = np.uint64(16)


def language_code(given: str | None) -> str | None:
    """Give the ISO 639-1 code of "en", "en-US", "EN_us"; None for anything else."""
    code = re.fullmatch(r"\s*([a-z]{2})(?:[-_].*)?", (given or "").lower(), re.S)
    return LANGUAGE_ALIASES.get(code[1], code[1]) if code else None


def languages(given: pa.Array, titles: pa.Array, texts: pa.Array) -> pa.Array:
    """Give the language of each article.

    Args:
      given: n codes as the input has them, or nulls.
      titles: n titles in NFC, or nulls.
      texts: n texts in NFC.

    Returns:
      ISO 639-1 codes; "und" where none is given and none can be told.
    """
    code_of = {code: language_code(code) for code in given.unique().to_pylist()}
    codes = pa.array([code_of[code] for code in given.to_pylist()], pa.string())
    rows = np.flatnonzero(codes.is_null())
    if not len(rows):
        return codes
    place = pa.array(rows)
    told = detected_languages(titles.take(place), texts.take(place))
    return with_values(codes, rows, told)


def detected_languages(titles: pa.Array, texts: pa.Array) -> list[str]:
    """Tell the language of each article from its title and its longest line.

    The longest line is the article's; the first may be a button in another language.
    Where the longest line tells nothing (a script, a menu), the text at large may.

    Returns:
      ISO 639-1 code; "und" with fewer letters than a few words or an unsure answer.
    """
    told = sample_languages(_samples(titles, texts, longest_line=True))
    rows = [row for row, label in enumerate(told) if label == UNDETERMINED]
    if rows:
        place = pa.array(rows)
        beginnings = _samples(titles.take(place), texts.take(place), longest_line=False)
        for row, label in zip(rows, sample_languages(beginnings), strict=True):
            told[row] = label
    return told


def sample_languages(samples: pa.Array) -> list[str]:
    """Tell the language of each of n samples in NFC."""
    letters, upper, lower, unsure = _counts(*utf8(samples), _characters())
    for row in np.flatnonzero(unsure).tolist():
        letters[row], upper[row], lower[row] = _counted(samples[row].as_py())
    # Captions of broadcasts: the model knows words as they are mostly written.
    shouted = np.flatnonzero((2 * upper > letters) | ((upper > 0) & (lower == 0)))
    spoken = [
        unicodedata.normalize("NFC", sample.lower())
        for sample in samples.take(pa.array(shouted)).to_pylist()
    ]
    told = [UNDETERMINED] * len(samples)
    rows = np.flatnonzero(letters >= MIN_LETTERS)
    if not len(rows):
        return told
    samples = with_values(samples, shouted, spoken).take(pa.array(rows))
    likeliest = zip(*_likeliest(*utf8(samples)), strict=True)
    for row, (label, probability) in zip(rows.tolist(), likeliest, strict=True):
        if label != "zxx" and probability >= MIN_PROBABILITY:
            told[row] = LANGUAGE_ALIASES.get(label, label)
    return told


def _counted(sample: str) -> tuple[int, int, int]:
    """Count letters, upper case and lower or title case, as `_counts` does."""
    letters = sum(map(str.isalpha, sample)) + 2 * len(IDEOGRAPHS.findall(sample))
    upper = sum(map(str.isupper, sample))
    lower = sum(c.islower() or (c.istitle() and not c.isupper()) for c in sample)
    return letters, upper, lower


class _Model(NamedTuple):
    """The library's model as arrays.

    Attributes:
      moves: shape (256 * r,). The state after a byte, for each of r kinds of states.
      kinds: shape (s,). 256 times the kind of each of s states.
      features: shape (s,). What reaching a state has found; negative for nothing.
      weights: float32, shape (f, k). What each of f features says for each of k labels.
      priors: float32, shape (k,).
      labels: k ISO 639-1 codes, or "zxx" for what is no language.
      twins: pairs of places of one label.
    """

    moves: npt.NDArray[np.uint32]
    kinds: npt.NDArray[np.uint32]
    features: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    priors: npt.NDArray[np.float32]
    labels: list[str]
    twins: list[tuple[int, int]]


@functools.cache
def _model() -> _Model:
    """Load the model of py3langid, once per process and in half a second."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    # "zxx" is what is no language; the others have no code of two letters.
    wanted = [label for label in identifier.labels if len(label) == 2 or label == "zxx"]
    identifier.set_languages(wanted)
    labels = list(identifier.nb_classes)
    places = [(labels.index(label), place) for place, label in enumerate(labels)]
    return _Model(
        moves=np.asarray(identifier.tk_nextmove, np.uint32),
        kinds=np.asarray(identifier.tk_row, np.uint32) * np.uint32(256),
        features=np.asarray(identifier.tk_output, np.int32),
        weights=np.ascontiguousarray(identifier.nb_ptc, np.float32),
        priors=np.asarray(identifier.nb_pc, np.float32),
        labels=labels,
        twins=[(first, place) for first, place in places if first != place],
    )


def _likeliest(
    data: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64]
) -> tuple[list[str], list[float]]:
    """Give the likeliest label of each of n texts, and its probability."""
    model = _model()
    sizes = np.diff(bounds)
    emphasis = np.log1p(np.arange(sizes.max() + 1)).astype(np.float32)
    scores, told = _scores(
        data,
        bounds,
        model.moves,
        model.kinds,
        model.features,
        model.weights,
        model.priors,
        emphasis,
    )
    # As the library does it, the root of the length keeps probabilities comparable.
    scores /= np.sqrt(sizes, dtype=np.float32)[:, None]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    for first, twin in model.twins:
        scores[:, first] += scores[:, twin]
        scores[:, twin] = 0
    best = scores.argmax(axis=1)
    probability = np.where(told, scores.max(axis=1), 0)
    return [model.labels[place] for place in best.tolist()], probability.tolist()


@functools.cache
def _characters() -> npt.NDArray[np.uint8]:
    """Say of each character for how many letters it counts, and what case it is."""
    table = np.zeros(_TABLE_SIZE, np.uint8)
    for code in range(_TABLE_SIZE):
        character = chr(code)
        if character.isalpha():
            table[code] = 1
        if character.isupper():
            table[code] |= _UPPER
        elif character.islower() or character.istitle():
            table[code] |= _LOWER
    for first, last in _IDEOGRAPHS:
        table[first : last + 1] += 2
    return table


def _samples(titles: pa.Array, texts: pa.Array, *, longest_line: bool) -> pa.Array:
    """Give, of each article, its title, a line end, and the start of a line or its text."""
    characters = LINE_CHARACTERS if longest_line else BEGINNING_CHARACTERS
    data, bounds = _cut(*utf8(titles), *utf8(texts), characters, longest_line)
    offsets = pa.py_buffer(bounds.astype(np.int32))
    return pa.StringArray.from_buffers(len(texts), offsets, pa.py_buffer(data))


@numba.njit(cache=True, nogil=True)
def _cut(
    titles: npt.NDArray[np.uint8],
    title_bounds: npt.NDArray[np.int64],
    texts: npt.NDArray[np.uint8],
    text_bounds: npt.NDArray[np.int64],
    characters: int,
    longest_line: bool,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    rows = len(text_bounds) - 1
    title_bytes = title_bounds[-1] - title_bounds[0]
    cut = np.empty(title_bytes + rows * (1 + 4 * characters), np.uint8)
    bounds = np.zeros(rows + 1, np.int64)
    written = 0
    for row in range(rows):
        for place in range(title_bounds[row], title_bounds[row + 1]):
            cut[written] = titles[place]
            written += 1
        cut[written] = _NEWLINE
        written += 1
        start, end = text_bounds[row], text_bounds[row + 1]
        if longest_line:
            start, end = _longest_line(texts, start, end)
        count = 0
        for place in range(start, end):
            count += texts[place] & 0xC0 != 0x80
            if count > characters:
                break
            cut[written] = texts[place]
            written += 1
        bounds[row + 1] = written
    return cut[:written], bounds


@numba.njit(cache=True, nogil=True)
def _longest_line(data: npt.NDArray[np.uint8], start: int, end: int) -> tuple[int, int]:
    """Find the first of the lines that have the most characters."""
    longest = -1
    found = start, end
    while start <= end:
        stop = _line_end(data, start, end)
        # A line of no more bytes has no more characters.
        if stop - start > longest:
            count = 0
            for place in range(start, stop):
                count += data[place] & 0xC0 != 0x80
            if count > longest:
                longest = count
                found = start, stop
        start = stop + 1
    return found


@numba.njit(cache=True, nogil=True)
def _line_end(data: npt.NDArray[np.uint8], start: int, end: int) -> int:
    # Unsigned, so that no place is asked whether it counts from the end.
    place, stop = np.uint64(start), np.uint64(end)
    while place < stop:
        block = min(place + _BLOCK, stop)
        ends = np.uint8(0)
        for at in range(place, block):
            ends |= np.uint8(data[at] == _NEWLINE)
        if ends:
            while data[place] != _NEWLINE:
                place += np.uint64(1)
            return int(place)
        place = block
    return end


@numba.njit(cache=True, nogil=True)
def _counts(
    data: npt.NDArray[np.uint8],
    bounds: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint8],
) -> tuple[Any, Any, Any, Any]:
    """Count letters, upper and lower case; and tell where Python must: shape (n,) each."""
    rows = len(bounds) - 1
    letters = np.zeros(rows, np.int64)
    upper = np.zeros(rows, np.int64)
    lower = np.zeros(rows, np.int64)
    unsure = np.zeros(rows, np.bool_)
    for row in range(rows):
        place = bounds[row]
        while place < bounds[row + 1]:
            code = np.uint32(data[place])
            place += 1
            if code >= 0x80:
                more = 1 if code < 0xE0 else 2 if code < 0xF0 else 3
                code &= np.uint32(0x3F >> more)
                for _ in range(more):
                    code = code << 6 | np.uint32(data[place] & 0x3F)
                    place += 1
            if code < len(table):
                kind = table[code]
                letters[row] += kind & _LETTERS
                upper[row] += (kind & _UPPER) != 0
                lower[row] += (kind & _LOWER) != 0
            else:
                unsure[row] = True
    return letters, upper, lower, unsure


@numba.njit(cache=True, nogil=True)
def _scores(
    data: npt.NDArray[np.uint8],
    bounds: npt.NDArray[np.int64],
    moves: npt.NDArray[np.uint32],
    kinds: npt.NDArray[np.uint32],
    features: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    priors: npt.NDArray[np.float32],
    emphasis: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Add up what the features of each of n texts say.

    Args:
      data: the texts in UTF-8, one after the other.
      bounds: shape (n + 1,). Where they begin and the last ends.
      moves: as the five that follow it, of the model.
      kinds: -
      features: -
      weights: -
      priors: -
      emphasis: shape (c,). What a feature counts for that is seen so many times.

    Returns:
      scores: shape (n, k).
      told: shape (n,). Whether there was a feature at all.
    """
    rows = len(bounds) - 1
    labels = len(priors)
    scores = np.empty((rows, labels), np.float32)
    told = np.zeros(rows, np.bool_)
    seen = np.zeros(len(weights), np.int32)
    order = np.empty(len(emphasis), np.int32)
    for row in range(rows):
        state, distinct = np.uint32(0), 0
        for place in range(bounds[row], bounds[row + 1]):
            state = moves[kinds[state] + np.uint32(data[place])]
            feature = features[state]
            if feature >= 0:
                if not seen[feature]:
                    order[distinct] = feature
                    distinct += 1
                seen[feature] += 1
        told[row] = distinct > 0
        score = scores[row]
        score[:] = priors
        for place in range(distinct):
            feature = order[place]
            factor = emphasis[seen[feature]]
            seen[feature] = 0
            weight = weights[feature]
            for label in range(labels):
                score[label] += factor * weight[label]
    return scores, told
