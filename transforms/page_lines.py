"""Page lines: what a line of a whole web page looks like, and what stands around it.

Nearly all that tells the article from the page around it can be seen without reading:
paragraphs are long, end in a full stop and are full of small words, in any language;
menus and teasers are short, capitalised and come in rows; what stands below the first
share bar is seldom news. So a line is described by numbers: its shape, how many of its
words are function words, which rule of `furniture.py` takes it, whether its other words
occur in the paragraphs of the page, and the same of its neighbours.

C. Kohlschütter et al., "Boilerplate detection using shallow text features", 2010, showed
how far length and neighbours go; J. Pomikálek, "Removing boilerplate and duplicate content
from web corpora", 2011, added function words and the long paragraph as an anchor.
"""

import functools
import importlib.resources
from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.line_shapes import (
    BRACKET,
    CAPITALS,
    COLON,
    COMMA,
    DASH,
    DIGIT,
    FIRST,
    INNER_ENDS,
    KINDS,
    LAST,
    LONGEST_WORD,
    LOWER,
    OTHER,
    QUOTE,
    SIGN,
    STOP,
    UNCASED,
    UPPER,
    WORDS,
    line_shapes,
)
from transforms.tokens import Tokens, tokenize

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

# Which rules of a line mean the same to its neighbours.
_RULE_GROUPS = (
    ("menu", ("ui", "menu", "mark", "weather", "recurs")),
    ("share", ("share",)),
    ("related", ("related",)),
    ("prompt", ("advert", "prompt")),
    ("rights", ("rights",)),
    ("credit", ("credit", "byline")),
    ("date", ("date",)),
    ("caption", ("caption",)),
    ("repeat", ("repeat",)),
)
_GROUP_OF = {
    reason: group for group, (_, reasons) in enumerate(_RULE_GROUPS) for reason in reasons
}
# Groups after which another part of the page tends to begin.
_TURNS = (1, 2, 3, 6, 5)

_WORD_STEPS = (2, 3, 5, 8, 12, 20, 40)
# A line is prose from so many words on, if they are words of sentences.
_PROSE_WORDS = 10
_LONG_OPEN_LINE = 25
_FUNCTION_SHARE = 0.15
_SHORT_WORDS = 8
_FAR = 40


class _Shapes(NamedTuple):
    """What the context of a line is made of; each of shape (m,)."""

    words: npt.NDArray[np.float64]
    prose: npt.NDArray[np.float64]
    ends: npt.NDArray[np.bool_]
    function_share: npt.NDArray[np.float64]
    capitals: npt.NDArray[np.float64]
    cohesion: npt.NDArray[np.float64]


def page_features(
    lines: Sequence[str], reasons: Sequence[str | None]
) -> npt.NDArray[np.float64]:
    """Describe the lines of one page.

    Args:
      lines: of the page, m of them, none empty, white space folded.
      reasons: what `furniture.py` and the rest of the page say against each; None for
        nothing.

    Returns:
      Shape (m, len(feature_names())). All finite.
    """
    return _describe(lines, reasons)[0]


@functools.cache
def feature_names() -> tuple[str, ...]:
    """Give the names of the columns of `page_features`."""
    return _describe(["A line"], [None])[1]


def _describe(
    lines: Sequence[str], reasons: Sequence[str | None]
) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    rules = np.zeros((len(lines), len(_RULE_GROUPS)))
    for line, reason in enumerate(reasons):
        if reason:
            rules[line, _GROUP_OF.get(reason, 0)] = 1
    columns: dict[str, npt.NDArray[np.generic]] = {}
    shapes = _own_columns(lines, columns)
    for group, (name, _) in enumerate(_RULE_GROUPS):
        columns[f"rule_{name}"] = rules[:, group]
    _neighbour_columns(shapes, rules, columns)
    _page_columns(shapes, columns)
    _short_line_columns(shapes, columns)
    return np.stack(list(columns.values()), axis=1).astype(np.float64), tuple(columns)


def _own_columns(
    lines: Sequence[str], columns: dict[str, npt.NDArray[np.generic]]
) -> _Shapes:
    """Describe each line by itself, and by whether the page repeats its words."""
    texts = pa.array(lines, pa.string())
    tokens = tokenize(texts)
    shape = line_shapes(texts)
    is_function = _among(tokens.hashes, _function_words())
    words = np.diff(tokens.offsets).astype(np.float64)
    function = _sums(is_function, tokens.offsets)
    divisor = np.maximum(words, 1)
    share = function / divisor
    characters = np.maximum(shape[:, :KINDS].sum(axis=1), 1)
    uncased, lower, upper = shape[:, UNCASED], shape[:, LOWER], shape[:, UPPER]
    ends = shape[:, LAST] == STOP
    sentences = (share > _FUNCTION_SHARE) | (uncased > lower + upper)
    prose = np.minimum(words, 60) * (ends | (words >= _LONG_OPEN_LINE)) * sentences
    capitals = shape[:, CAPITALS] / np.maximum(shape[:, WORDS], 1)
    repeats = _repeats(tokens)
    found, content = _cohesion(tokens, is_function, prose >= _PROSE_WORDS)
    cohesion = found / np.maximum(content, 1)

    columns["words"] = np.log1p(words)
    for step in _WORD_STEPS:
        columns[f"words_from_{step}"] = words >= step
    columns["ends"] = ends
    columns["ends_in_colon"] = shape[:, LAST] == COLON
    columns["ends_in_comma"] = shape[:, LAST] == COMMA
    columns["long_and_ends"] = ends & (words >= 8)
    columns["short_and_ends"] = ends & (words < 8)
    columns["long_and_open"] = ~ends & (words >= 12)
    columns["inner_ends"] = np.minimum(shape[:, INNER_ENDS], 5)
    columns["has_inner_end"] = shape[:, INNER_ENDS] > 0
    columns["commas"] = shape[:, COMMA] / divisor
    columns["has_comma"] = shape[:, COMMA] > 0
    columns["digits"] = shape[:, DIGIT] / characters
    columns["has_digit"] = shape[:, DIGIT] > 0
    columns["signs"] = np.minimum(shape[:, SIGN], 3)
    columns["has_sign"] = shape[:, SIGN] > 0
    columns["has_dash"] = shape[:, DASH] > 0
    columns["has_bracket"] = shape[:, BRACKET] > 0
    columns["has_quote"] = shape[:, QUOTE] > 0
    columns["capitals"] = capitals
    columns["all_capitals"] = (capitals == 1) & (words > 1)
    columns["all_upper"] = (lower == 0) & (upper > 1)
    first = shape[:, FIRST]
    columns["opens_lower"] = first == LOWER
    columns["opens_upper"] = first == UPPER
    columns["opens_digit"] = first == DIGIT
    columns["opens_quote"] = first == QUOTE
    columns["opens_sign"] = (first == SIGN) | (first == DASH) | (first == OTHER)
    columns["function_share"] = share
    columns["no_function_word"] = (function == 0) & (words >= 4)
    columns["short_without_function"] = (function == 0) & (words < 4)
    columns["function_words"] = np.log1p(function)
    columns["word_length"] = (lower + upper + uncased) / divisor / 10
    columns["longest_word"] = np.minimum(shape[:, LONGEST_WORD], 40) / 20
    columns["repeated"] = repeats > 1
    columns["repeats"] = np.log(np.minimum(repeats, 20))
    columns["prose"] = np.log1p(prose)
    columns["cohesion"] = cohesion
    columns["short_cohesion"] = cohesion * (words < 12)
    columns["no_cohesion"] = (found == 0) & (content > 0)
    return _Shapes(words, prose, ends, share, capitals, cohesion)


def _neighbour_columns(
    shapes: _Shapes,
    rules: npt.NDArray[np.float64],
    columns: dict[str, npt.NDArray[np.generic]],
) -> None:
    """Describe each line by those around it."""
    log_prose = np.log1p(shapes.prose)
    near = {
        "words": np.log1p(shapes.words),
        "prose": log_prose,
        "ends": shapes.ends.astype(np.float64),
        "function_share": shapes.function_share,
        "capitals": shapes.capitals,
        "cohesion": shapes.cohesion,
    }
    block = np.stack(list(near.values()), axis=1)
    for distance in (1, 2, 3):
        for step in (distance, -distance):
            moved = _shifted(block, step)
            for place, name in enumerate(near):
                columns[f"{name}{-step:+d}"] = moved[:, place]
    prose_lines = shapes.prose >= _PROSE_WORDS
    short = (shapes.words < _SHORT_WORDS) & ~shapes.ends
    block = np.stack((prose_lines, short, shapes.prose), axis=1).astype(np.float64)
    for radius in (2, 4, 8, 16):
        means = _window_means(block, radius)
        columns[f"prose_lines_{radius}"] = means[:, 0]
        columns[f"short_lines_{radius}"] = means[:, 1]
        columns[f"prose_words_{radius}"] = np.log1p(means[:, 2])
    ruled = rules.max(axis=1, keepdims=True)
    for radius in (1, 3, 8):
        columns[f"ruled_{radius}"] = _window_means(ruled, radius)[:, 0]
    before, after = _shifted(rules, 1), _shifted(rules, -1)
    for group, (name, _) in enumerate(_RULE_GROUPS):
        columns[f"rule_{name}-1"] = before[:, group]
        columns[f"rule_{name}+1"] = after[:, group]
    for group in _TURNS:
        name = _RULE_GROUPS[group][0]
        flags = rules[:, group] > 0
        since = _since(flags, 30)
        until = _since(flags[::-1], 30)[::-1]
        columns[f"near_after_{name}"] = np.exp(-since / 4)
        columns[f"after_{name}"] = since < 12
        columns[f"near_before_{name}"] = np.exp(-until / 4)
        columns[f"before_{name}"] = until < 12
    since = _since(prose_lines, _FAR)
    until = _since(prose_lines[::-1], _FAR)[::-1]
    columns["since_prose"] = np.log1p(since)
    columns["until_prose"] = np.log1p(until)
    columns["nearest_prose"] = np.log1p(np.minimum(since, until))
    columns["farthest_prose"] = np.log1p(np.maximum(since, until))


def _page_columns(shapes: _Shapes, columns: dict[str, npt.NDArray[np.generic]]) -> None:
    """Describe each line by where on the page it stands, and the page."""
    count = len(shapes.words)
    places = np.arange(count)
    columns["place"] = places / count
    columns["place_squared"] = (places / count) ** 2
    columns["near_top"] = np.exp(-places / 10)
    columns["near_bottom"] = np.exp(-(count - 1 - places) / 10)
    read = np.cumsum(shapes.prose)
    total = max(read[-1], 1.0)
    above, below = (read - shapes.prose) / total, 1 - read / total
    columns["prose_above"] = above
    columns["prose_below"] = below
    columns["little_above"] = above < 0.02
    columns["some_above"] = above < 0.1
    columns["little_below"] = below < 0.02
    columns["some_below"] = below < 0.1
    columns["prose_share"] = shapes.prose / total
    columns["page_prose"] = np.full(count, np.log1p(total))
    columns["page_lines"] = np.full(count, np.log(count))
    short = (shapes.words < _SHORT_WORDS) & ~shapes.ends
    columns["page_short_lines"] = np.full(count, short.mean())
    prose_lines = shapes.prose >= _PROSE_WORDS
    start, end = densest(np.where(prose_lines, np.minimum(shapes.prose, 40.0), 0.0) - 3)
    within = (places >= start) & (places < end)
    columns["in_body"] = within
    columns["before_body"] = np.where(places < start, np.exp(-(start - places) / 5), 0)
    columns["after_body"] = np.where(places >= end, np.exp(-(places - end + 1) / 5), 0)
    columns["above_body"] = places < start


def _short_line_columns(
    shapes: _Shapes, columns: dict[str, npt.NDArray[np.generic]]
) -> None:
    """Repeat of short lines what says more of them than of paragraphs."""
    short = shapes.words < 10
    for name in (
        *("prose_lines_2", "prose_lines_4", "prose_lines_16", "in_body", "ruled_3"),
        *("farthest_prose", "nearest_prose", "prose_above", "prose_below", "capitals"),
        *("function_share", "ends", "prose-1", "prose+1", "words-1", "words+1"),
    ):
        columns[f"short_{name}"] = columns[name] * short


@functools.cache
def _function_words() -> npt.NDArray[np.uint64]:
    """Give the hashes of the function words of all languages, sorted."""
    folder = importlib.resources.files("transforms") / "data" / "stopwords"
    words = {
        word
        for file in folder.iterdir()
        for word in file.read_text(encoding="utf-8").split()
    }
    return np.unique(tokenize(pa.array(sorted(words), pa.string())).hashes)


def _among(
    hashes: npt.NDArray[np.uint64], known: npt.NDArray[np.uint64]
) -> npt.NDArray[np.bool_]:
    """Tell which hashes are among the known ones, which are sorted."""
    places = np.minimum(np.searchsorted(known, hashes), known.size - 1)
    return np.asarray(known[places] == hashes, np.bool_)


def _sums(
    values: npt.NDArray[np.generic], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Sum up the values of each list."""
    sums = np.concatenate(([0], np.cumsum(values)))
    return (sums[offsets[1:]] - sums[offsets[:-1]]).astype(np.float64)


def _repeats(tokens: Tokens) -> npt.NDArray[np.int64]:
    """Count for each line how many lines of the page have its words."""
    sums = np.zeros(tokens.hashes.size + 1, np.uint64)
    np.cumsum(tokens.hashes * _MULTIPLIER, out=sums[1:])
    keys = sums[tokens.offsets[1:]] - sums[tokens.offsets[:-1]]
    _, which, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return counts[which]


def _cohesion(
    tokens: Tokens,
    is_function: npt.NDArray[np.bool_],
    is_prose: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Count the content words of each line, and those that other prose lines have too.

    Returns:
      found: shape (m,).
      content: shape (m,).
    """
    _, words = np.unique(tokens.hashes, return_inverse=True)
    content = ~is_function
    distinct = int(words.max(initial=-1)) + 1
    found = _found_elsewhere(words, tokens.offsets, content, is_prose, distinct)
    return found, _sums(content, tokens.offsets)


@numba.njit(cache=True, nogil=True)
def _found_elsewhere(
    words: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    content: npt.NDArray[np.bool_],
    is_prose: npt.NDArray[np.bool_],
    distinct: int,
) -> npt.NDArray[np.float64]:
    lines = np.zeros(distinct, np.int64)
    last = np.full(distinct, -1, np.int64)
    for line in range(offsets.size - 1):
        if is_prose[line]:
            for token in range(offsets[line], offsets[line + 1]):
                word = words[token]
                if last[word] != line:
                    last[word] = line
                    lines[word] += 1
    found = np.zeros(offsets.size - 1)
    for line in range(offsets.size - 1):
        own = 1 if is_prose[line] else 0
        for token in range(offsets[line], offsets[line + 1]):
            if content[token] and lines[words[token]] > own:
                found[line] += 1
    return found


@numba.njit(cache=True, nogil=True)
def densest(values: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Give first and end of the stretch whose values sum to most; the first of equals."""
    best = total = 0.0
    start = first = end = 0
    for place in range(values.size):
        if total <= 0:
            total = 0.0
            start = place
        total += values[place]
        if total > best:
            best = total
            first, end = start, place + 1
    return first, end


def _shifted(block: npt.NDArray[np.float64], step: int) -> npt.NDArray[np.float64]:
    """Move rows down by `step`, up where it is negative; zeros come in."""
    moved = np.zeros_like(block)
    if step > 0:
        moved[step:] = block[:-step]
    else:
        moved[:step] = block[-step:]
    return moved


def _window_means(block: npt.NDArray[np.float64], radius: int) -> npt.NDArray[np.float64]:
    """Give the mean of each column over a window; beyond the page all is zero."""
    sums = np.zeros((len(block) + 1, block.shape[1]))
    np.cumsum(block, axis=0, out=sums[1:])
    places = np.arange(len(block))
    ends = np.minimum(places + radius + 1, len(block))
    return (sums[ends] - sums[np.maximum(places - radius, 0)]) / (2 * radius + 1)


def _since(flags: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.int64]:
    """Count the lines since the last one with its flag set; `most` at the most."""
    places = np.arange(flags.size)
    last = np.maximum.accumulate(np.where(flags, places, -most))
    return np.minimum(places - last, most)
