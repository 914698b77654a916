"""Stripping: which lines of many texts go, and why.

A line goes because it says of itself that it is furniture (`line_rules.py`), because other
articles say so (`recurrence.py`), or for what stands around it (`surroundings.py`). A text
with the menus of a whole web page around it is looked at once more: what is not of the
article goes (`main_content.py`). Who the text is credited to is read before its line is
thrown away.

Few texts are read for all this: `close_reading.py` picks them.
"""

from collections.abc import Container, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.assembly import Batch, StrippedTexts, put_together
from transforms.close_reading import repeats, texts_to_read, texts_with_credit
from transforms.credits import credited_source, names_rights
from transforms.line_hints import ORIGIN, RIGHTS
from transforms.line_rules import CODES, DECODED, RuledLines, read_rules
from transforms.lines import read_lines
from transforms.main_content import PageModel, is_page, take_page_lines
from transforms.recurrence import title_keys
from transforms.surroundings import (
    IS_AGENCY,
    REPEAT_WORDS,
    headline,
    known_reason,
    line_reasons,
)

_REPEAT = CODES["repeat"]


class Stripped(NamedTuple):
    """One article's text without furniture.

    Attributes:
      text: what is left, one paragraph a line, below the title.
      removed: each line or passage that went, and why, in the order of the page.
      credited_source: who the page credits with the text; None if nobody.
      titled: the text began with its title, which is in neither.
    """

    text: str
    removed: list[tuple[str, str]]
    credited_source: str | None
    titled: bool


def split_lines(text: str) -> list[str]:
    r"""Give the lines of a text, empty ones too, white space and soft hyphens folded.

    >>> split_lines("One\u00a0 line\n\nanother")
    ['One line', '', 'another']
    """
    lines = read_lines(pa.array([text], pa.string()))
    return list(lines.texts(np.arange(lines.starts.size)).to_pylist())


def strip(
    text: str,
    title: str | None = None,
    known: Sequence[int] | npt.NDArray[np.integer] | npt.NDArray[np.bool_] = (),
    *,
    source: str | None = None,
    agencies: Container[int] = frozenset(),
    min_words: int = 40,
    menu_lines: int = 10,
    page_probability: float = 0.35,
    page_model: PageModel | None = None,
) -> Stripped:
    r"""Strip the furniture off one article, as `strip_texts` does off many.

    Args:
      text: as scraped, lines parted by "\n".
      title: of the article; a line that is the title is never furniture, and left out
        where the text begins with it and goes on.
      known: for each line of the text, empty ones included, what other articles say of
        it: RECURS, IS_PROPER, IS_HEADLINE, IS_AGENCY, added; empty for nothing.
      source: of the article.
      agencies: line keys of names that datelines give.
      min_words: with fewer words left, captions and credits are taken back.
      menu_lines: with so many lines in rows of short ones a text is a whole page.
      page_probability: lines of a page stay if they are of the article with at least that
        probability.
      page_model: what tells that; None for the one that comes with the project.

    Raises:
      ValueError: if `known` tells of another number of lines.

    >>> strip("Log In\nTwo people were hurt on Sunday.\nFollow us on:").text
    'Two people were hurt on Sunday.'
    """
    texts, titles = pa.array([text], pa.string()), pa.array([title], pa.string())
    ruled = read_rules(texts, titles)
    count = int(ruled.offsets[-1])
    if len(known) not in (0, count):
        raise ValueError(
            f"known must tell of each of {count} lines, got {len(known)} values"
        )
    flags = np.zeros(count, np.uint8)
    if len(known):
        flags[:] = known
    stripped = strip_texts(
        texts,
        titles,
        [source],
        ruled,
        flags,
        agencies=agencies,
        min_words=min_words,
        menu_lines=menu_lines,
        page_probability=page_probability,
        page_model=page_model,
    )
    return Stripped(
        stripped.texts[0].as_py(),
        list(zip(stripped.removed.to_pylist(), stripped.reasons.to_pylist(), strict=True)),
        stripped.credited_sources[0].as_py(),
        bool(stripped.titled[0]),
    )


def strip_texts(
    texts: pa.Array,
    titles: pa.Array,
    sources: Sequence[str | None],
    ruled: RuledLines,
    flags: npt.NDArray[np.uint8],
    *,
    agencies: Container[int] = frozenset(),
    min_words: int = 40,
    menu_lines: int = 10,
    page_probability: float = 0.35,
    page_model: PageModel | None = None,
) -> StrippedTexts:
    """Strip the furniture off articles.

    Args:
      texts: of n articles, as scraped; m lines in all.
      titles: of the articles.
      sources: of the articles.
      ruled: the lines of the texts.
      flags: shape (m,). What other articles say of each line: RECURS, IS_PROPER,
        IS_HEADLINE, IS_AGENCY, added.
      agencies: line keys of names that datelines give.
      min_words: with fewer words left, captions and credits are taken back.
      menu_lines: with so many lines in rows of short ones a text is a whole page.
      page_probability: lines of a page stay if they are of the article with at least that
        probability.
      page_model: what tells that; None for the one that comes with the project.
    """
    lines = read_lines(texts)
    batch = Batch(
        lines=lines,
        of_text=np.repeat(np.arange(len(texts)), np.diff(lines.offsets)),
        titles=titles.to_pylist(),
        codes=ruled.rules.copy(),
        hints=ruled.hints.copy(),
    )
    keys = title_keys(titles)[0][batch.of_text]
    own_titles = (ruled.keys == keys) & (keys != 0)
    _take_known(batch, flags, own_titles)
    again = repeats(
        lines.offsets, lines.data, lines.starts, lines.ends, ruled.keys, batch.codes
    )
    batch.codes[again & (lines.spaces + 1 >= REPEAT_WORDS)] = _REPEAT
    named = (flags & IS_AGENCY) > 0
    picked = texts_to_read(
        lines,
        batch.codes,
        batch.hints,
        named,
        own_titles,
        knows_agencies=bool(agencies),
        menu_lines=menu_lines,
    )
    bodies: dict[int, npt.NDArray[np.bool_]] = {}
    for read in batch.read(np.flatnonzero(picked)):
        title = batch.titles[read.text]
        reasons = line_reasons(
            read.strings,
            [DECODED[code] for code in ruled.rules[read.rows].tolist()],
            flags[read.rows].tolist(),
            title,
            sources[read.text],
            agencies,
        )
        if is_page(read.strings, reasons, menu_lines=menu_lines):
            bodies[read.text] = take_page_lines(
                read.strings,
                reasons,
                headline(title),
                model=page_model,
                min_probability=page_probability,
                min_words=min_words,
            )
        batch.codes[read.rows] = [CODES[reason] for reason in reasons]
    credits: list[str | None] = [None] * len(texts)
    picked |= texts_with_credit(lines, batch.codes, batch.hints, named)
    for read in batch.read(np.flatnonzero(picked)):
        own_flags, hints = flags[read.rows].tolist(), batch.hints[read.rows].tolist()
        credits[read.text] = credited_source(
            read.strings,
            batch.reasons(read.rows),
            source=sources[read.text],
            agencies={
                line
                for line, flag in zip(read.strings, own_flags, strict=True)
                if flag & IS_AGENCY
            },
            notes=[
                line
                for line, hint in zip(read.strings, hints, strict=True)
                if hint & ORIGIN
            ],
        )
    return put_together(batch, ruled.words, bodies, credits, min_words=min_words)


def _take_known(
    batch: Batch, flags: npt.NDArray[np.uint8], own_titles: npt.NDArray[np.bool_]
) -> None:
    """Take the lines that other articles say something of; the own title stays."""
    known = (flags > 0) & (batch.lines.chars > 0)
    rows = np.flatnonzero(known | (own_titles & (batch.codes > 0)))
    for row, line in zip(rows.tolist(), batch.lines.texts(rows).to_pylist(), strict=True):
        title = batch.titles[batch.of_text[row]]
        if line.lower() == headline(title):
            batch.codes[row] = 0
        elif not batch.codes[row] and (
            reason := known_reason(line, int(flags[row]), title)
        ):
            batch.codes[row] = CODES[reason]
            batch.hints[row] |= RIGHTS if names_rights(line) else 0
