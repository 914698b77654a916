"""Sentences: a text as its sentences, and how alike two sentences are by their words.

A report that retells another keeps the order of the telling even where it keeps no
wording, so it is sentences that are compared, and their order. Here they are compared by
the terms that they share, weighed by rarity: that costs microseconds where a transformer
needs milliseconds, and shows which of a thousand pairs of reports deserve to be read.

Quotations are left out: every outlet quotes the minister in the same words.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.marks import mark_tokens
from transforms.tokens import tokenize
from transforms.vocabulary import look_up

# Gives the inverse document frequencies of terms, uint64 of shape (m,), in a language.
Rarity: TypeAlias = Callable[[npt.NDArray[np.uint64], str], npt.NDArray[np.floating]]

# A sentence ends at a mark followed by space and a capital, digit or quotation mark, or at
# a full-width mark, which no space follows. Nobody looks ahead far: a text of marks alone
# would be read once for each of them.
_SENTENCE_END = re.compile(
    r"[.!?…](?:[\"'”’)]\s++|\s++(?=\W{0,20}+[^\W_a-z]))|[。！？]|\n+"
)
# How a quotation opens, and how it then closes.
_QUOTATION_MARKS = {"“": "”", '"': '"', "«": "»", "„": "“", "「": "」"}
_QUOTATION_MARK = re.compile('[“”"«»„「」\n]')
_LONGEST_QUOTATION = 2_000
# A post that is shown in the text, "What it says. — Who says it (@name) May 3", or its
# writer first: what names the writer, and what may stand between that and a dash or the
# beginning of the line.
_HANDLE = re.compile(r"\(@\w+\)")
_WRITER = re.compile(r"(?:\A|[—–―-] ?)[^(]{1,60}\Z")
_WRITER_REACH = 62
# Shorter sentences are subheads and attributions, alike in any two articles.
_SIX_WORDS = re.compile(r"\b(?:\w++\W++){5}\w")
# Words of a sentence that are looked at.
_MAX_SENTENCE_WORDS = 200


def sentences(text: str) -> list[str]:
    """Split a text into its sentences.

    >>> sentences("The dam broke. “Run,” he said. 3 died.")
    ['The dam broke.', '“Run,” he said.', '3 died.']
    """
    ends = [0, *(mark.end() for mark in _SENTENCE_END.finditer(text)), len(text)]
    parts = (text[start:end].strip() for start, end in itertools.pairwise(ends))
    return [part for part in parts if part]


def without_quotations(text: str) -> str:
    """Give the text without what stands in quotation marks, and without posts.

    >>> without_quotations("He said “never” and left.")
    'He said   and left.'
    """
    if "(@" in text:
        text = "\n".join(" " if _is_post(line) else line for line in text.split("\n"))
    marks = [(mark.start(), mark[0]) for mark in _QUOTATION_MARK.finditer(text)]
    # From the end, so that each mark knows the next one of every kind: to look ahead from
    # each as far as a quotation may reach takes minutes for a text of opening marks.
    following: dict[str, int] = {}
    spans = []
    for start, mark in reversed(marks):
        end = following.get(_QUOTATION_MARKS.get(mark, ""), 0)
        in_line = end < following.get("\n", len(text))
        if 1 < end - start <= _LONGEST_QUOTATION + 1 and in_line:
            spans.append((start, end + 1))
        following[mark] = start
    kept, place = [], 0
    for start, end in reversed(spans):
        if start >= place:
            kept.append(text[place:start])
            place = end
    return " ".join((*kept, text[place:]))


def _is_post(line: str) -> bool:
    return any(
        _WRITER.search(line, max(0, handle.start() - _WRITER_REACH), handle.start())
        for handle in _HANDLE.finditer(line)
    )


def content_sentences(text: str) -> list[str]:
    """Give the sentences, free of quotations, that are long enough to mean something."""
    return [
        sentence
        for sentence in sentences(without_quotations(text))
        if _SIX_WORDS.search(sentence)
        # A script without spaces has few words by that count and many characters.
        or (len(sentence) >= 15 and not sentence.isascii() and " " not in sentence)
    ]


class SentenceTerms(NamedTuple):
    """The m sentences of a text as sparse unit vectors.

    Attributes:
      terms: shape (s,), uint64. Ascending and distinct in each sentence.
      weights: shape (s,), float32.
      offsets: shape (m + 1,), int64. Sentence i owns terms[offsets[i]:offsets[i + 1]].
    """

    terms: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]


def sentence_terms(
    texts: Sequence[Sequence[str]], languages: Sequence[str], rarity: Rarity
) -> list[SentenceTerms]:
    """Weigh the terms of the sentences of texts, each term once a sentence.

    Args:
      texts: the sentences of each of n texts.
      languages: shape (n,). ISO 639-1 codes, "und" where unknown.
      rarity: gives what a term weighs.
    """
    counts = [len(own) for own in texts]
    each = [
        name for name, count in zip(languages, counts, strict=True) for _ in range(count)
    ]
    array = pa.array([sentence for own in texts for sentence in own], pa.string())
    marked = mark_tokens(array, tokenize(array))
    terms = look_up(marked, each, _MAX_SENTENCE_WORDS).terms
    said = np.flatnonzero(terms)
    owners = np.searchsorted(marked.offsets, said, side="right") - 1
    order = np.lexsort((terms[said], owners))
    terms, owners = terms[said][order], owners[order]
    new = np.ones(len(terms), np.bool_)
    new[1:] = (terms[1:] != terms[:-1]) | (owners[1:] != owners[:-1])
    terms, owners = terms[new], owners[new]
    weights = np.zeros(len(terms), np.float32)
    spoken = np.array(each, dtype=object)[owners]
    for language in sorted(set(languages)):
        own = np.flatnonzero(spoken == language)
        distinct, places = np.unique(terms[own], return_inverse=True)
        weights[own] = np.maximum(rarity(distinct, language), 0)[places]
    lengths = np.sqrt(np.bincount(owners, weights.astype(np.float64) ** 2, len(array)))
    weights /= np.maximum(lengths, 1e-9)[owners].astype(np.float32)
    offsets = np.searchsorted(owners, np.arange(len(array) + 1))
    found, first = [], 0
    for count in counts:
        own_offsets = offsets[first : first + count + 1]
        inside = slice(own_offsets[0], own_offsets[-1])
        found.append(
            SentenceTerms(terms[inside], weights[inside], own_offsets - own_offsets[0])
        )
        first += count
    return found


def shared_cosines(left: SentenceTerms, right: SentenceTerms) -> npt.NDArray[np.float32]:
    """Give the cosine of each sentence of one text with each of another.

    Returns:
      Array of shape (m, n), 0 to 1.
    """
    return _shared_cosines(*left, *right)


@numba.njit(cache=True, nogil=True)
def _shared_cosines(
    terms: npt.NDArray[np.uint64],
    weights: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.int64],
    other_terms: npt.NDArray[np.uint64],
    other_weights: npt.NDArray[np.float32],
    other_offsets: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    cosines = np.zeros((len(offsets) - 1, len(other_offsets) - 1), np.float32)
    for i in range(cosines.shape[0]):
        for j in range(cosines.shape[1]):
            a, b = offsets[i], other_offsets[j]
            total = np.float32(0)
            while a < offsets[i + 1] and b < other_offsets[j + 1]:
                if terms[a] < other_terms[b]:
                    a += 1
                elif terms[a] > other_terms[b]:
                    b += 1
                else:
                    total += weights[a] * other_weights[b]
                    a += 1
                    b += 1
            cosines[i, j] = total
    return cosines
