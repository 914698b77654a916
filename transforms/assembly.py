"""Assembly: what is left of many texts, put together from the lines that stay.

Why a line goes is decided elsewhere; here it is carried out. What was run into a paragraph
is cut out of it. If hardly a text is left, captions come back. The title has a column of
its own, so a text that goes on below it does not begin with it again: it is no furniture,
and nothing says that it was removed. Else a line stays or goes whole, and paragraphs stay
lines.

Few lines are made strings for this: the texts are joined from the bytes of their lines.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.furniture import cut_segments
from transforms.line_hints import TITLED
from transforms.line_rules import CODES, DECODED
from transforms.line_signs import SEGMENT
from transforms.lines import Lines, first_bytes
from transforms.surroundings import TAKEN_BACK, is_title, take_back
from transforms.tokens import count_words

# A text of more characters for each word that it may have has more words.
_MOST_LETTERS = 20
_TAKEN_BACK_CODES = np.array(sorted(CODES[reason] for reason in TAKEN_BACK), np.uint8)


class StrippedTexts(NamedTuple):
    """The texts of n articles without furniture; k lines and passages were removed.

    Attributes:
      texts: n strings, as of `Stripped`.
      words: int32, shape (n,). Words of each.
      titled: bool, shape (n,), as of `Stripped`.
      supported: bool, shape (n,). The text holds a word of its title for certain.
      credited_sources: n names, null for none.
      removed: k strings, in the order of the pages.
      reasons: k strings. Why each went.
      articles: int64, shape (k,). The article that each is of.
      removed_words: int32, shape (k,). Words of each.
    """

    texts: pa.Array
    words: npt.NDArray[np.int32]
    titled: npt.NDArray[np.bool_]
    supported: npt.NDArray[np.bool_]
    credited_sources: pa.Array
    removed: pa.Array
    reasons: pa.Array
    articles: npt.NDArray[np.int64]
    removed_words: npt.NDArray[np.int32]


class Batch(NamedTuple):
    """The lines of a batch of n texts, m in all, and why each goes so far.

    Attributes:
      lines: of the texts.
      of_text: int64, shape (m,). The text that each line is of.
      titles: n titles.
      codes: uint8, shape (m,). Code of the reason; written to as reasons are found.
      hints: uint8, shape (m,), as of `RuledLines`; written to likewise.
    """

    lines: Lines
    of_text: npt.NDArray[np.int64]
    titles: Sequence[str | None]
    codes: npt.NDArray[np.uint8]
    hints: npt.NDArray[np.uint8]

    def read(self, texts: npt.NDArray[np.integer]) -> Iterator["Read"]:
        """Read some texts."""
        lines = self.lines
        chosen = np.zeros(len(self.titles), np.bool_)
        chosen[texts] = True
        rows = np.flatnonzero(chosen[self.of_text] & (lines.chars > 0))
        strings = lines.texts(rows).to_pylist()
        bounds = np.searchsorted(self.of_text[rows], np.append(texts, len(self.titles)))
        for text, start, end in zip(
            texts.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True
        ):
            yield Read(text, rows[start:end], strings[start:end])

    def reasons(self, rows: npt.NDArray[np.int64]) -> list[str | None]:
        """Give why lines go so far."""
        return [DECODED[code] for code in self.codes[rows].tolist()]


class Read(NamedTuple):
    """A text that is read: its lines that are not empty."""

    text: int
    rows: npt.NDArray[np.int64]
    strings: list[str]


def put_together(
    batch: Batch,
    words: npt.NDArray[np.int32],
    bodies: Mapping[int, npt.NDArray[np.bool_]],
    credits: Sequence[str | None],
    *,
    min_words: int,
) -> StrippedTexts:
    """Join the lines that stay, and list what went.

    Args:
      batch: n texts, and why each of their m lines goes.
      words: shape (m,). Words of each line.
      bodies: of a text that is a whole page: which of its lines are of the article.
      credits: n names, None for nobody.
      min_words: with fewer words left, captions and credits are taken back.
    """
    cuts = _cut(batch)
    _take_back(batch, words, cuts, bodies, min_words)
    return _joined(batch, words, cuts, credits)


class _Cut(NamedTuple):
    """What is left of a line, and the passages cut out of it, each with its reason."""

    rest: str
    segments: list[tuple[str, str]]


def _cut(batch: Batch) -> dict[int, _Cut]:
    """Cut what was run into lines that stay."""
    lines = batch.lines
    rows = np.flatnonzero((lines.signs & SEGMENT > 0) & (batch.codes == 0))
    found = {
        row: _Cut(*cut_segments(line))
        for row, line in zip(rows.tolist(), lines.texts(rows).to_pylist(), strict=True)
    }
    return {row: cut for row, cut in found.items() if cut.segments}


def _take_back(
    batch: Batch,
    words: npt.NDArray[np.int32],
    cuts: dict[int, _Cut],
    bodies: Mapping[int, npt.NDArray[np.bool_]],
    min_words: int,
) -> None:
    """Keep captions and credits, and lines whole, where hardly a text is left."""
    lines, texts = batch.lines, len(batch.titles)
    stays = (batch.codes == 0) & (lines.chars > 0)
    left_words, left_chars = words.copy(), lines.chars.copy()
    for row, cut in cuts.items():
        left_words[row] = count_words(pa.array([cut.rest]))[0]
        left_chars[row] = len(cut.rest)
    words_of, chars_of, lines_of = (
        np.bincount(batch.of_text[stays], weights=values, minlength=texts)
        for values in (left_words[stays], left_chars[stays], (left_chars > 0)[stays])
    )
    short = (words_of < min_words) & (
        chars_of + np.maximum(lines_of - 1, 0) <= _MOST_LETTERS * min_words
    )
    change = np.isin(batch.codes, _TAKEN_BACK_CODES)
    change[list(cuts)] = True
    wanting = np.bincount(batch.of_text[change], minlength=texts) > 0
    for read in batch.read(np.flatnonzero(short & wanting)):
        reasons = batch.reasons(read.rows)
        take_back(read.strings, reasons, bodies.get(read.text))
        batch.codes[read.rows] = [CODES[reason] for reason in reasons]
        for row in read.rows.tolist():
            cuts.pop(row, None)


def _joined(
    batch: Batch,
    words: npt.NDArray[np.int32],
    cuts: dict[int, _Cut],
    credits: Sequence[str | None],
) -> StrippedTexts:
    """Join the lines that stay, and list what went."""
    lines, texts = batch.lines, len(batch.titles)
    stays = (batch.codes == 0) & (lines.chars > 0)
    telling = stays & ((batch.hints & TITLED) > 0)
    words = words.copy()
    data, starts, ends = lines.data, lines.starts, lines.ends
    if cuts:
        # What is left of them stands behind the others.
        rows = np.array(sorted(cuts))
        rests = [cuts[int(row)].rest for row in rows]
        sizes = np.array([len(rest.encode()) for rest in rests])
        stops = data.size + np.cumsum(sizes)
        data = np.concatenate((data, np.frombuffer("".join(rests).encode(), np.uint8)))
        starts, ends = starts.copy(), ends.copy()
        starts[rows], ends[rows] = stops - sizes, stops
        words[rows] = count_words(pa.array(rests, pa.string()))
        stays[rows] = sizes > 0
        telling[rows] = False
    titled = _titled(batch, stays, data, starts, ends)
    left = np.flatnonzero(stays)
    return StrippedTexts(
        _joined_texts(data, starts, ends, left, batch.of_text[left], texts),
        np.bincount(batch.of_text[left], words[left], texts).astype(np.int32),
        titled,
        np.bincount(batch.of_text[telling], minlength=texts) > 0,
        pa.array(credits, pa.string()),
        *_removed(batch, words, cuts),
    )


def _titled(
    batch: Batch,
    stays: npt.NDArray[np.bool_],
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Take the title off the head of each text that goes on below it."""
    left = np.flatnonzero(stays)
    texts, first, count = np.unique(
        batch.of_text[left], return_index=True, return_counts=True
    )
    texts, rows = texts[count > 1], left[first[count > 1]]
    # Nearly all first lines differ from their title in the first letter.
    letters = first_bytes(pa.array(batch.titles, pa.string()))[texts]
    same = (letters == (data[starts[rows]] | 0x20)) | (data[starts[rows]] >= 128)
    titled = np.zeros(len(batch.titles), np.bool_)
    for text, row in zip(texts[same].tolist(), rows[same].tolist(), strict=True):
        line = data[starts[row] : ends[row]].tobytes().decode()
        if is_title(line, batch.titles[text]):
            titled[text] = True
            stays[row] = False
    return titled


def _removed(
    batch: Batch, words: npt.NDArray[np.int32], cuts: dict[int, _Cut]
) -> tuple[pa.Array, pa.Array, npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Give the lines and passages that went, why, of which article, and their words."""
    rows = np.flatnonzero((batch.codes > 0) & (batch.lines.chars > 0))
    removed = batch.lines.texts(rows).cast(pa.string())
    reasons = pa.array(DECODED, pa.string()).take(pa.array(batch.codes[rows]))
    counts = words[rows]
    if cuts:
        passages = [
            (row, *segment) for row in sorted(cuts) for segment in cuts[row].segments
        ]
        of, cut, why = zip(*passages, strict=True)
        rows = np.concatenate((rows, of))
        order = np.argsort(rows, kind="stable")
        rows, taken = rows[order], pa.array(order)
        cut_out = pa.array(cut, pa.string())
        removed = pa.concat_arrays([removed, cut_out]).take(taken)
        reasons = pa.concat_arrays([reasons, pa.array(why, pa.string())]).take(taken)
        counts = np.concatenate((counts, count_words(cut_out)))[order]
    return removed, reasons, batch.of_text[rows], counts


def _joined_texts(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    of_text: npt.NDArray[np.int64],
    texts: int,
) -> pa.Array:
    """Make one string of the lines of each text."""
    out, bounds = _join(data, starts[rows], ends[rows], of_text, texts)
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(out)]
    return pa.Array.from_buffers(pa.large_string(), texts, buffers).cast(pa.string())


@numba.njit(cache=True, nogil=True)
def _join(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    of_text: npt.NDArray[np.int64],
    texts: int,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    size = 0
    for line in range(starts.size):
        size += ends[line] - starts[line] + 1
    out = np.empty(size, np.uint8)
    bounds = np.zeros(texts + 1, np.int64)
    at = 0
    line = 0
    for text in range(texts):
        first = line
        while line < starts.size and of_text[line] == text:
            if line > first:
                out[at] = 10
                at += 1
            length = ends[line] - starts[line]
            out[at : at + length] = data[starts[line] : ends[line]]
            at += length
            line += 1
        bounds[text + 1] = at
    return out[:at], bounds
