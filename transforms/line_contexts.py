"""Line contexts: what stands around a line of an article.

To see whether a source repeats a line, or a report that holds it was published again, the
rest of the article is looked at: its *context* is a sketch of all its other lines. Two
articles whose sketches agree are one context, however often the report was published.

The sketch keeps the smallest hashes of runs of eight words: a bottom-k sketch, A. Broder,
"On the resemblance and containment of documents", 1997.
"""

import numba
import numpy as np
import numpy.typing as npt

from transforms.tokens import mix64

SKETCH_SIZE = 24
SHINGLE_WORDS = 8
MAX_CONTEXTS = 6
NO_DAY = np.iinfo(np.int32).min
_NONE = np.uint32(0xFFFFFFFF)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

# A line with no more lines of the article before or after it is at an edge.
_EDGE_LINES = 2
# What more articles have for a title is the name of a column and links to none of them.
_MOST_TITLED = 20


@numba.njit(cache=True, nogil=True)
def article_sketches(
    offsets: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    words: npt.NDArray[np.uint64],
    word_offsets: npt.NDArray[np.int64],
    ruled: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    """Give the sketch of every article, and which line each of its hashes is from.

    Args:
      offsets: shape (n + 1,). Text i owns lines offsets[i] to offsets[i + 1], at least one.
      keys: shape (m,). Key of each line, 0 for one without a word.
      words: shape (w,). Hashes of the words of all lines.
      word_offsets: shape (m + 1,).
      ruled: shape (m,). Lines that are no part of the article.

    Returns:
      sketches: shape (n, SKETCH_SIZE). Ascending, distinct, filled up with 2^32 - 1.
      owners: shape (n, SKETCH_SIZE). The line within the text, of two the one with the
        smaller key; -1 where there is no hash.
    """
    sketches = np.full((offsets.size - 1, SKETCH_SIZE), _NONE, np.uint32)
    owners = np.full((offsets.size - 1, SKETCH_SIZE), -1, np.int32)
    most = 0
    for text in range(offsets.size - 1):
        most = max(most, _word_count(text, offsets, word_offsets))
    runs = np.empty(most, np.uint64)
    for text in range(offsets.size - 1):
        sketch, owner = sketches[text], owners[text]
        first_word = word_offsets[offsets[text]]
        count = _word_count(text, offsets, word_offsets)
        _hash_runs(words[first_word : first_word + count], runs)
        size = 0
        for line in range(offsets[text], offsets[text + 1]):
            if ruled[line]:
                continue
            # A run lies within its line.
            last = word_offsets[line + 1] - first_word - SHINGLE_WORDS
            for word in range(word_offsets[line] - first_word, last + 1):
                found = min(np.uint32(runs[word] >> np.uint64(32)), _NONE - np.uint32(1))
                if size == SKETCH_SIZE and found > sketch[size - 1]:
                    continue
                place = size
                while place and sketch[place - 1] >= found:
                    place -= 1
                if place < size and sketch[place] == found:
                    if keys[line] < keys[offsets[text] + owner[place]]:
                        owner[place] = line - offsets[text]
                    continue
                size = min(size + 1, SKETCH_SIZE)
                for later in range(size - 1, place, -1):
                    sketch[later] = sketch[later - 1]
                    owner[later] = owner[later - 1]
                sketch[place] = found
                owner[place] = line - offsets[text]
    return sketches, owners


@numba.njit(cache=True, nogil=True)
def _word_count(
    text: int, offsets: npt.NDArray[np.int64], word_offsets: npt.NDArray[np.int64]
) -> np.int64:
    """Count the words of a text."""
    return word_offsets[offsets[text + 1]] - word_offsets[offsets[text]]


@numba.njit(cache=True, nogil=True)
def _hash_runs(words: npt.NDArray[np.uint64], runs: npt.NDArray[np.uint64]) -> None:
    """Hash every run of SHINGLE_WORDS words, all runs a word further at a time.

    The compiler makes vector instructions of that: five times as fast as run by run.
    """
    count = max(words.size - SHINGLE_WORDS + 1, 0)
    runs[:count] = 0
    for step in range(SHINGLE_WORDS):
        nth = words[step : step + count]
        for word in range(count):
            runs[word] = mix64(runs[word] * _MULTIPLIER + nth[word])


@numba.njit(cache=True, nogil=True)
def line_contexts(
    offsets: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    ruled: npt.NDArray[np.bool_],
    titles: npt.NDArray[np.uint64],
    sketches: npt.NDArray[np.uint32],
    owners: npt.NDArray[np.int32],
    wanted: npt.NDArray[np.bool_],
    wanted_titles: npt.NDArray[np.bool_],
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.bool_],
    npt.NDArray[np.bool_],
    npt.NDArray[np.uint32],
]:
    """Give the context of every distinct line of every article, and of its title.

    Args:
      offsets: shape (n + 1,). Text i owns lines offsets[i] to offsets[i + 1], at least one.
      keys: shape (m,). Key of each line, 0 for one without a word.
      ruled: shape (m,). Lines that are no part of the article.
      titles: shape (n,). Key of each article's title, 0 for none.
      sketches: shape (n, SKETCH_SIZE), of `article_sketches`.
      owners: shape (n, SKETCH_SIZE), of `article_sketches`.
      wanted: shape (m,). Lines that are asked for.
      wanted_titles: shape (n,). Titles that are asked for.

    Returns:
      chosen: shape (k,). The line, its first occurrence; for a title the text's first.
      of_title: shape (k,). The row is that of a title.
      edge: shape (k,). The line stands at the beginning or end of the article.
      contexts: shape (k, SKETCH_SIZE). Ascending, filled up with 2^32 - 1.
    """
    rows = np.count_nonzero(wanted) + np.count_nonzero(wanted_titles)
    chosen = np.empty(rows, np.int64)
    of_title = np.zeros(rows, np.bool_)
    edge = np.zeros(rows, np.bool_)
    contexts = np.full((rows, SKETCH_SIZE), _NONE, np.uint32)
    count = 0
    for text in range(offsets.size - 1):
        start, end = offsets[text], offsets[text + 1]
        standing = 0
        for line in range(start, end):
            standing += keys[line] != 0 and not ruled[line]
        passed = 0
        first = count
        for line in range(start, end + 1):
            key = titles[text] if line == end else keys[line]
            if line < end:
                if ruled[line] or key == 0:
                    continue
                passed += 1
                if not wanted[line]:
                    continue
                again = False
                for row in range(first, count):
                    again = again or keys[chosen[row]] == key
                if again:
                    continue
            elif key == 0 or not wanted_titles[text]:
                continue
            of_title[count] = line == end
            if line < end:
                edge[count] = min(passed - 1, standing - passed) <= _EDGE_LINES
            chosen[count] = line if line < end else start
            filled = 0
            for entry in range(SKETCH_SIZE):
                if owners[text, entry] >= 0 and keys[start + owners[text, entry]] != key:
                    contexts[count, filled] = sketches[text, entry]
                    filled += 1
            count += 1
    return (
        chosen[:count].copy(),
        of_title[:count].copy(),
        edge[:count].copy(),
        contexts[:count].copy(),
    )


@numba.njit(cache=True, nogil=True)
def _is_unlike(a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32]) -> bool:
    """Tell whether two contexts are those of two articles; an empty one never is."""
    i = 0
    common = 0
    size_a = 0
    while size_a < SKETCH_SIZE and a[size_a] != _NONE:
        size_a += 1
    size_b = 0
    while size_b < SKETCH_SIZE and b[size_b] != _NONE:
        while i < size_a and a[i] < b[size_b]:
            i += 1
        if i < size_a and a[i] == b[size_b]:
            common += 1
        size_b += 1
    if size_a == 0 or size_b == 0:
        return False
    return common < max(1, min(3, (min(size_a, size_b) + 3) // 4))


@numba.njit(cache=True, nogil=True)
def count_contexts(
    starts: npt.NDArray[np.int64],
    articles: npt.NDArray[np.uint64],
    days: npt.NDArray[np.int32],
    contexts: npt.NDArray[np.uint32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count articles, days from first to last and unlike contexts of each group of rows.

    Rows of a group are sorted by article; the span is -1 where fewer than two articles
    have a date. No more than MAX_CONTEXTS contexts are counted.

    Args:
      starts: shape (g + 1,). Group i owns rows starts[i] to starts[i + 1].
      articles: shape (k,). Article of each row.
      days: shape (k,). Its day; NO_DAY for none.
      contexts: shape (k, SKETCH_SIZE).

    Returns:
      docs, spans, unlike: int64, shape (g,) each.
    """
    groups = len(starts) - 1
    docs = np.zeros(groups, dtype=np.int64)
    spans = np.full(groups, -1, dtype=np.int64)
    unlike = np.zeros(groups, dtype=np.int64)
    stored = np.empty(MAX_CONTEXTS, dtype=np.int64)
    for group in range(groups):
        first = np.int64(0)
        last = np.int64(0)
        dated = 0
        for row in range(starts[group], starts[group + 1]):
            if row > starts[group] and articles[row] == articles[row - 1]:
                continue
            docs[group] += 1
            if days[row] != NO_DAY:
                day = np.int64(days[row])
                first = min(first, day) if dated else day
                last = max(last, day) if dated else day
                dated += 1
            # Nothing stands around the line: that tells no article from another.
            if contexts[row, 0] == _NONE or unlike[group] == MAX_CONTEXTS:
                continue
            fresh = True
            for place in range(unlike[group]):
                if not _is_unlike(contexts[row], contexts[stored[place]]):
                    fresh = False
                    break
            if fresh:
                stored[unlike[group]] = row
                unlike[group] += 1
        if dated >= 2:
            spans[group] = last - first
    return docs, spans, unlike


@numba.njit(cache=True, nogil=True)
def names_other_articles(
    starts: npt.NDArray[np.int64],
    articles: npt.NDArray[np.uint64],
    of_title: npt.NDArray[np.bool_],
    contexts: npt.NDArray[np.uint32],
) -> npt.NDArray[np.bool_]:
    """Tell of each group of equal lines and titles whether the line links to an article.

    That is so when it stands in an article of another title that is no version of any
    article with that title.

    Args:
      starts: shape (g + 1,). Group i owns rows starts[i] to starts[i + 1].
      articles: shape (k,). Article of each row.
      of_title: shape (k,). The row is that of a title, not of a line.
      contexts: shape (k, SKETCH_SIZE).
    """
    groups = len(starts) - 1
    links = np.zeros(groups, dtype=np.bool_)
    for group in range(groups):
        rows = range(starts[group], starts[group + 1])
        titled = 0
        for row in rows:
            titled += of_title[row]
        if titled == 0 or titled > _MOST_TITLED:
            continue
        for row in rows:
            if of_title[row]:
                continue
            apart = True
            for other in rows:
                if of_title[other] and apart:
                    apart = articles[other] != articles[row] and _is_unlike(
                        contexts[row], contexts[other]
                    )
            if apart:
                links[group] = True
                break
    return links
