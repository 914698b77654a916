"""Terms and names: the words by which two reports of one event are recognised.

Two reports of one event share rare terms even where no run of words agrees, because they
need the same words for the same victims, places and charges.

A name is a term that the text writes with a capital letter although no sentence begins
there: names tell sibling events apart that share their vocabulary. Headlines that
capitalise every word, and words that open a sentence, say nothing; there a word counts as a
name if the running text shows that it is one. German capitalises every noun: there a noun
that is common, or stands behind an article or an adjective, is no name, unless it is a
street. Scripts without capitals say nothing at all: there every term that is not common
(`vocabulary` has lists for Arabic and Chinese) counts as a name, so that scores mean the
same in every script.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from transforms.marks import (
    CAPITAL,
    OPENS_PHRASE,
    UNCASED,
    MarkedTokens,
    sentence_end,
)
from transforms.vocabulary import DETERMINER, STREET, look_up

MAX_WORDS = 800
LEAD_SENTENCES = 3
# A shorter "sentence" is a dateline or a label and would use up the lead.
MIN_SENTENCE_WORDS = 4
# A text without full stops is no lead as a whole.
_MAX_LEAD_WORDS = 150
# Below it a text cannot show which words of its title are names.
_MIN_BODY_WORDS = 25
# A longer sentence that has nothing but capitals shows no name.
_MAX_NAME_RUN = 6


class TermCounts(NamedTuple):
    """How often each of n articles uses each of its terms.

    Attributes:
      terms: uint64, shape (s,). Of all n articles; ascending and distinct in each.
      counts: uint16, shape (s,). 1 or more.
      offsets: int64, shape (n + 1,). Article i owns offsets[i] to offsets[i + 1].
    """

    terms: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.uint16]
    offsets: npt.NDArray[np.int64]


class ArticleTerms(NamedTuple):
    """Terms and names of n articles, each of the whole and of the lead alone."""

    terms: TermCounts
    lead_terms: TermCounts
    names: TermCounts
    lead_names: TermCounts


def article_terms(
    titles: MarkedTokens,
    texts: MarkedTokens,
    languages: Sequence[str],
    *,
    max_words: int = MAX_WORDS,
    lead_sentences: int = LEAD_SENTENCES,
) -> ArticleTerms:
    """Count the terms and names of title and text.

    Args:
      titles: of n articles; an article without a title has no token here.
      texts: of the same articles, without furniture.
      languages: shape (n,). ISO 639-1 codes, "und" where unknown.
      max_words: words of an article that are read, title included.
      lead_sentences: sentences that make the lead, beside the title.

    Raises:
      ValueError: if the three differ in number.
    """
    numbers = (titles.offsets.size - 1, texts.offsets.size - 1, len(languages))
    if len(set(numbers)) > 1:
        raise ValueError(
            "titles, texts and languages must be those of the same articles, got "
            f"{numbers[0]}, {numbers[1]} and {numbers[2]}"
        )
    title_meanings = look_up(titles, languages, max_words)
    text_meanings = look_up(texts, languages, max_words)
    terms, counts, offsets = _count_terms(
        _Part(titles.offsets, titles.marks, *title_meanings),
        _Part(texts.offsets, texts.marks, *text_meanings),
        max_words,
        lead_sentences,
    )
    return ArticleTerms(
        *(
            TermCounts(
                terms[row, : offsets[row, -1]],
                counts[row, : offsets[row, -1]],
                offsets[row],
            )
            for row in range(4)
        )
    )


class _Part(NamedTuple):
    """The titles, or the texts, of n articles: marks and meanings of their tokens."""

    offsets: npt.NDArray[np.int64]
    marks: npt.NDArray[np.uint8]
    terms: npt.NDArray[np.uint64]
    names: npt.NDArray[np.uint64]
    roles: npt.NDArray[np.uint8]


class _Scratch(NamedTuple):
    """What one article, or its lead, was found to use; the first `counts` of each."""

    terms: npt.NDArray[np.uint64]
    names: npt.NDArray[np.uint64]
    # Capitalised words that are names if the running text says so.
    doubtful: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def _says_names(part: _Part, first: int, last: int, is_title: bool) -> bool:
    """Whether capital letters of a sentence mean something: enough words have none."""
    capitals = lower = 0
    names, marks = part.names, part.marks
    for token in range(first + 1, last):
        if names[token]:
            if marks[token] & CAPITAL:
                capitals += 1
            elif not marks[token] & UNCASED:
                lower += 1
    if is_title:
        return 3 * lower > capitals
    return lower > 0 or capitals < _MAX_NAME_RUN


@numba.njit(cache=True, nogil=True)
def _collect(
    part: _Part, first: int, last: int, says_names: bool, scratch: _Scratch
) -> None:
    """Append the terms, names and doubtful names of a sentence."""
    terms, names, marks, roles = part.terms, part.names, part.marks, part.roles
    own_terms, own_names, doubtful = scratch.terms, scratch.names, scratch.doubtful
    counts = scratch.counts
    term_count, name_count, doubtful_count = counts[0], counts[1], counts[2]
    for token in range(first, last):
        if not terms[token]:
            continue
        own_terms[term_count] = terms[token]
        term_count += 1
        name, mark = names[token], marks[token]
        if not name:
            continue
        if mark & CAPITAL and (not says_names or mark & OPENS_PHRASE):
            doubtful[doubtful_count] = name
            doubtful_count += 1
        elif mark & UNCASED or (
            mark & CAPITAL
            and (
                roles[token] == STREET
                or not (token > first and roles[token - 1] == DETERMINER)
            )
        ):
            own_names[name_count] = name
            name_count += 1
    counts[0], counts[1], counts[2] = term_count, name_count, doubtful_count


@numba.njit(cache=True, nogil=True)
def _contains(ascending: npt.NDArray[np.uint64], value: np.uint64) -> bool:
    place = np.searchsorted(ascending, value)
    return bool(place < ascending.size and ascending[place] == value)


@numba.njit(cache=True, nogil=True)
def _settle_doubts(scratch: _Scratch, known: npt.NDArray[np.uint64]) -> None:
    """Make names of the doubtful ones that are known, ascending, as names."""
    for i in range(scratch.counts[2]):
        if _contains(known, scratch.doubtful[i]):
            scratch.names[scratch.counts[1]] = scratch.doubtful[i]
            scratch.counts[1] += 1


@numba.njit(cache=True, nogil=True)
def _sort_hashes(
    values: npt.NDArray[np.uint64],
    ordered: npt.NDArray[np.uint64],
    begins: npt.NDArray[np.int64],
) -> None:
    """Sort hashes in place.

    They are spread evenly, so a bucket each by the high bits leaves little to sort:
    several times faster than a sort that compares.

    Args:
      values: shape (s,).
      ordered: at least as many. Overwritten.
      begins: at least twice as many, and three. Overwritten.
    """
    bits = 1
    while 1 << bits < values.size:
        bits += 1
    shift = np.uint64(64 - bits)
    begins[: (1 << bits) + 1] = 0
    for value in values:
        begins[(value >> shift) + np.uint64(1)] += 1
    for bucket in range(1 << bits):
        begins[bucket + 1] += begins[bucket]
    for value in values:
        bucket = value >> shift
        ordered[begins[bucket]] = value
        begins[bucket] += 1
    for index in range(values.size):
        value = ordered[index]
        place = index
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value


@numba.njit(cache=True, nogil=True)
def _write_counts(
    values: npt.NDArray[np.uint64],
    terms: npt.NDArray[np.uint64],
    counts: npt.NDArray[np.uint16],
    written: int,
    ordered: npt.NDArray[np.uint64],
    begins: npt.NDArray[np.int64],
) -> int:
    """Sort values, write each once with its count; give where the next goes."""
    _sort_hashes(values, ordered, begins)
    for i in range(values.size):
        if i and values[i] == values[i - 1]:
            counts[written - 1] += np.uint16(1)
        else:
            terms[written] = values[i]
            counts[written] = 1
            written += 1
    return written


@numba.njit(cache=True, nogil=True)
def _count_terms(
    titles: _Part, texts: _Part, max_words: int, lead_sentences: int
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16], npt.NDArray[np.int64]]:
    """Count terms, lead terms, names and lead names: rows 0 to 3 of each array."""
    articles = titles.offsets.size - 1
    most = 0
    for i in range(articles):
        words = titles.offsets[i + 1] - titles.offsets[i]
        most += min(max_words, words + texts.offsets[i + 1] - texts.offsets[i])
    terms = np.empty((4, most), np.uint64)
    counts = np.empty((4, most), np.uint16)
    offsets = np.zeros((4, articles + 1), np.int64)
    scratch = _Scratch(
        np.empty(max_words, np.uint64),
        np.empty(max_words, np.uint64),
        np.empty(max_words, np.uint64),
        np.zeros(3, np.int64),
    )
    ordered = np.empty(max_words, np.uint64)
    begins = np.empty(2 * max_words + 3, np.int64)
    for i in range(articles):
        title = titles.offsets[i]
        title_end = min(titles.offsets[i + 1], title + max_words)
        body = texts.offsets[i]
        body_end = min(texts.offsets[i + 1], body + max_words - (title_end - title))
        says_names = body_end - body < _MIN_BODY_WORDS or _says_names(
            titles, title, title_end, True
        )
        known = scratch.names[:0]
        for lead in range(2):
            scratch.counts[:] = 0
            _collect(titles, title, title_end, says_names, scratch)
            sentence, sentences = body, 0
            while sentence < body_end and not (lead and sentences == lead_sentences):
                end = sentence_end(texts.marks, sentence, body_end)
                long_enough = end - sentence >= MIN_SENTENCE_WORDS
                if lead:
                    sentences += long_enough
                    end = min(end, sentence + _MAX_LEAD_WORDS)
                if long_enough or not lead:
                    says = _says_names(texts, sentence, end, False)
                    _collect(texts, sentence, end, says, scratch)
                sentence = end
            if not lead:
                known = scratch.names[: scratch.counts[1]].copy()
                _sort_hashes(known, ordered, begins)
            _settle_doubts(scratch, known)
            for row, values in ((0, scratch.terms), (1, scratch.names)):
                column = 2 * row + lead
                offsets[column, i + 1] = _write_counts(
                    values[: scratch.counts[row]],
                    terms[column],
                    counts[column],
                    offsets[column, i],
                    ordered,
                    begins,
                )
    return terms, counts, offsets
