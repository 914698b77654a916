"""Keywords: the words that tell a story from others.

A term scores its rarity times 1 + ln of its count, summed over the articles of the story,
and is shown in the spelling that they use most. Only title and beginning of a text are
read: what a report is about is said there, and all of it would cost four times as much.

Stories are named many at a time, as most of them are a single article.

K. Sparck Jones, "A statistical interpretation of term specificity and its application in
retrieval", 1972.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.marks import MarkedTokens, mark_tokens
from transforms.sentences import Rarity
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
    vocabulary, terms = np.unique(meanings.terms[said], return_inverse=True)
    articles = np.searchsorted(marked.offsets, said, side="right") - 1
    pairs, counts = np.unique(articles * vocabulary.size + terms, return_counts=True)
    owner, term = np.divmod(pairs, vocabulary.size)
    story_of = np.repeat(np.arange(stories), np.diff(bounds))
    cells, places = np.unique(story_of[owner] * vocabulary.size + term, return_inverse=True)
    story, term = np.divmod(cells, vocabulary.size)
    scores = np.bincount(places, 1 + np.log(counts)) * _rarities(
        vocabulary[term], story, languages, bounds, rarity
    )
    order = np.lexsort((term, -scores, story))
    order = order[scores[order] > 0]
    # The best of each story: its rank is its distance from the story's first.
    rank = np.arange(order.size) - np.searchsorted(story[order], story[order])
    best = order[rank < count]
    spellings = _spellings(
        marked, said, story_of[articles] * vocabulary.size + terms, cells[best]
    )
    words: list[list[str]] = [[] for _ in range(stories)]
    for number, cell in zip(story[best].tolist(), cells[best].tolist(), strict=True):
        words[number].append(spellings[cell])
    return words


def _rarities(
    terms: npt.NDArray[np.uint64],
    story: npt.NDArray[np.int64],
    languages: Sequence[str],
    bounds: npt.NDArray[np.int64],
    rarity: Rarity,
) -> npt.NDArray[np.float64]:
    """Give what terms weigh in the language that most articles of their story are in."""
    spoken = np.array(
        [
            min((counts := Counter(languages[start:end])), key=lambda c: (-counts[c], c))
            for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        ],
        dtype=object,
    )[story]
    weights = np.zeros(len(terms))
    for language in sorted(set(spoken)):
        own = np.flatnonzero(spoken == language)
        distinct, places = np.unique(terms[own], return_inverse=True)
        weights[own] = np.asarray(rarity(distinct, language), np.float64)[places]
    return weights


def _spellings(
    marked: MarkedTokens,
    tokens: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
    wanted: npt.NDArray[np.int64],
) -> dict[int, str]:
    """Give the commonest spelling of each wanted cell, which is a story and a term."""
    chosen = np.flatnonzero(np.isin(cells, wanted))
    written = marked.words(tokens[chosen])
    spellings: dict[int, Counter[str]] = {}
    for cell, word in zip(cells[chosen].tolist(), written, strict=True):
        spellings.setdefault(cell, Counter())[_POSSESSIVE.sub("", word)] += 1
    return {
        cell: min(choices, key=lambda word: (-choices[word], word))
        for cell, choices in spellings.items()
    }
