"""Keywords: the words that tell a story from others.

A term scores its rarity times 1 + ln of its count, summed over the articles of the story,
and is shown in the spelling that they use most. Only title and beginning of a text are
read: what a report is about is said there, and all of it would cost four times as much.

Stories are named many at a time, as most of them are a single article.

K. Sparck Jones, "A statistical interpretation of term specificity and its application in
retrieval", 1972.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.marks import MarkedTokens, mark_tokens
from transforms.sentences import Rarity
from transforms.term_vectors import number_terms
from transforms.tokens import tokenize
from transforms.vocabulary import look_up

# Characters of a text that are read, and words of title and text together.
_CHARACTERS = 1_500
_MAX_WORDS = 400
# Articles worked on at a time.
_ARTICLES = 2_000

_POSSESSIVE = re.compile("['\u2019]s$")


def keywords(
    titles: pa.Array,
    texts: pa.Array,
    languages: Sequence[str],
    starts: npt.NDArray[np.int64],
    rarity: Rarity,
    *,
    count: int,
) -> pa.ListArray:
    """Name each story's words, the most telling first.

    Args:
      titles: of n articles, story after story; null where there is none.
      texts: of the same articles.
      languages: shape (n,). ISO 639-1 codes, "und" where unknown.
      starts: shape (s,), ascending. The first article of each story.
      rarity: gives what a term weighs.
      count: words of a story, at most.

    Returns:
      s lists of words.
    """
    found: list[list[str]] = []
    bounds = np.append(starts, len(texts))
    first = 0
    while first < len(starts):
        last = max(
            first + 1, int(np.searchsorted(bounds, bounds[first] + _ARTICLES, "right")) - 1
        )
        start, end = int(bounds[first]), int(bounds[last])
        read = pc.binary_join_element_wise(
            titles.slice(start, end - start).fill_null(""),
            pc.utf8_slice_codeunits(texts.slice(start, end - start), 0, _CHARACTERS),
            "\n",
        )
        found += _of_stories(
            mark_tokens(read, tokenize(read)),
            languages[start:end],
            bounds[first : last + 1] - start,
            rarity,
            count,
        )
        first = last
    return pa.array(found, pa.list_(pa.string()))


def _of_stories(
    marked: MarkedTokens,
    languages: Sequence[str],
    bounds: npt.NDArray[np.int64],
    rarity: Rarity,
    count: int,
) -> list[list[str]]:
    stories = len(bounds) - 1
    meanings = look_up(marked, languages, _MAX_WORDS)
    # A number says little to a reader by itself, and is no name.
    said = np.flatnonzero((meanings.terms != 0) & (meanings.names != 0))
    if not said.size:
        return [[] for _ in range(stories)]
    vocabulary, terms = number_terms(meanings.terms[said])
    # Where the words of each article begin, and of each story.
    offsets = np.searchsorted(said, marked.offsets)
    spoken, language_of = _spoken(languages, bounds)
    best = _best_terms(
        terms,
        offsets,
        bounds,
        1 + np.log(np.arange(1, np.diff(offsets).max() + 1)),
        np.stack([np.asarray(rarity(vocabulary, one), np.float64) for one in spoken]),
        language_of,
        count,
    )
    tokens, cells = _tokens_of(terms, offsets[bounds], best, len(vocabulary))
    spellings = _spellings(marked, said[tokens], cells)
    return [
        [spellings[cell] for cell in range(story * count, story * count + found)]
        for story, found in enumerate((best >= 0).sum(axis=1).tolist())
    ]


def _spoken(
    languages: Sequence[str], bounds: npt.NDArray[np.int64]
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Give all languages that stories are told in, and which of these each is told in.

    It is the language of most of its articles.
    """
    told = [
        languages[start]
        if end == start + 1
        else min((counts := Counter(languages[start:end])), key=lambda c: (-counts[c], c))
        for start, end in itertools.pairwise(bounds.tolist())
    ]
    spoken = sorted(set(told))
    numbers = {language: number for number, language in enumerate(spoken)}
    return spoken, np.array([numbers[language] for language in told], np.int64)


@numba.njit(cache=True, nogil=True)
def _best_terms(
    terms: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    log_counts: npt.NDArray[np.float64],
    rarities: npt.NDArray[np.float64],
    language_of: npt.NDArray[np.int64],
    most: int,
) -> npt.NDArray[np.int32]:
    """Find the terms of highest score of each story; equal scores: the lower number.

    Args:
      terms: shape (t,). Numbers of the terms that articles say, article after article.
      offsets: shape (n + 1,). Article i says terms[offsets[i]:offsets[i + 1]].
      bounds: shape (s + 1,). Story j has articles bounds[j] to bounds[j + 1].
      log_counts: what a term counts that an article says once, twice, ...
      rarities: shape (languages, v). What each term weighs.
      language_of: shape (s,).
      most: terms of a story, at most.

    Returns:
      Array of shape (s, most), -1 where there are no more.
    """
    best = np.full((len(bounds) - 1, most), -1, np.int32)
    top = np.zeros(most, np.float64)
    times = np.zeros(rarities.shape[1], np.int32)
    sums = np.zeros(rarities.shape[1], np.float64)
    listed = np.empty(len(terms), np.int32)
    for story in range(len(bounds) - 1):
        found = 0
        for article in range(bounds[story], bounds[story + 1]):
            own = terms[offsets[article] : offsets[article + 1]]
            for term in own:
                times[term] += 1
            for term in own:
                if times[term]:
                    if sums[term] == 0:
                        listed[found] = term
                        found += 1
                    sums[term] += log_counts[times[term] - 1]
                    times[term] = 0
        kept = 0
        for term in listed[:found]:
            score = sums[term] * rarities[language_of[story], term]
            sums[term] = 0
            if score <= 0:
                continue
            rank = kept
            while rank > 0 and (
                score > top[rank - 1]
                or (score == top[rank - 1] and term < best[story, rank - 1])
            ):
                if rank < most:
                    top[rank] = top[rank - 1]
                    best[story, rank] = best[story, rank - 1]
                rank -= 1
            if rank < most:
                top[rank] = score
                best[story, rank] = term
                kept = min(kept + 1, most)
    return best


@numba.njit(cache=True, nogil=True)
def _tokens_of(
    terms: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    best: npt.NDArray[np.int32],
    size: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find the words that say the best terms of their story.

    Args:
      terms: as of `_best_terms`.
      starts: shape (s + 1,). Story j says terms[starts[j]:starts[j + 1]].
      best: of `_best_terms`.
      size: terms there are.

    Returns:
      Places in `terms`, and of each the number of its cell of `best`, row by row.
    """
    stories, most = best.shape
    ranks = np.full(size, -1, np.int64)
    places = np.empty(len(terms), np.int64)
    cells = np.empty(len(terms), np.int64)
    count = 0
    for story in range(stories):
        for rank in range(most):
            if best[story, rank] >= 0:
                ranks[best[story, rank]] = rank
        for place in range(starts[story], starts[story + 1]):
            if ranks[terms[place]] >= 0:
                places[count] = place
                cells[count] = story * most + ranks[terms[place]]
                count += 1
        for rank in range(most):
            if best[story, rank] >= 0:
                ranks[best[story, rank]] = -1
    return places[:count].copy(), cells[:count].copy()


def _spellings(
    marked: MarkedTokens, tokens: npt.NDArray[np.int64], cells: npt.NDArray[np.int64]
) -> dict[int, str]:
    """Give the commonest spelling of each cell, of those of its tokens."""
    spellings: dict[int, dict[str, int]] = {}
    for cell, word in zip(cells.tolist(), marked.words(tokens), strict=True):
        counts = spellings.setdefault(cell, {})
        counts[word] = counts.get(word, 0) + 1
    return {cell: _commonest(counts) for cell, counts in spellings.items()}


def _commonest(counts: dict[str, int]) -> str:
    stems: dict[str, int] = {}
    for word, count in counts.items():
        stem = _POSSESSIVE.sub("", word)
        stems[stem] = stems.get(stem, 0) + count
    return min(stems, key=lambda word: (-stems[word], word))
