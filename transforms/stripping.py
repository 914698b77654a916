"""Stripping: which lines of one article go, and why.

A line may say of itself that it is furniture (`furniture.py`), or its source may repeat
it (`recurrence.py`). Then what stands between two buttons goes, names beside a date, links
below "More on this story", and what was already said on the page. If hardly a text is
left, captions come back: a page that is one captioned picture is that caption.

Template sentences and the fields of a list repeat as slogans do, and a wrong removal is
worse than a slogan that is left. So they stay, unless all that is known speaks against
them: no other source has the line, it keeps to the edge of the page, and it speaks to the
reader, as "Legal notices must reach us by noon" does and "No arrests were made" does not.

A text with the menus of a whole web page around it is looked at once more: what is not of
the article goes (`main_content.py`).

A line stays or goes whole; paragraphs stay lines.
"""

import re
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from transforms.bylines import take_bylines
from transforms.credits import credited_source, names_only
from transforms.furniture import (
    cut_segments,
    ends_sentence,
    has_dateline,
    line_reason,
    may_hold_segments,
)
from transforms.main_content import PageModel, is_page, take_page_lines
from transforms.phrases import phrases, words_of
from transforms.recurrence import line_key
from transforms.titles import title_stems
from transforms.tokens import count_words

# What is known of a line from other articles, as bits: its source, or every site, repeats
# it; it is proper to its source; it is the title of another article; it names an agency.
RECURS, IS_PROPER, IS_HEADLINE, IS_AGENCY = 1, 2, 4, 8

# Furniture that two buttons around a line make it one too.
_BUTTONS = frozenset(("ui", "share", "advert", "prompt", "related", "menu"))
# What comes back when hardly a text is left.
_TAKEN_BACK = frozenset(("caption", "rights", "credit"))
_SANDWICH_WORDS = 5
_QUOTES = "\"'“”„‘«»「『"
_REPEAT_WORDS = 4
_TEMPLATE_WORDS = 12
_HEADER_WORDS = 6
_LINK_WORDS = 20
_MOST_LINKS = 12
_SAME_TITLE = 0.5
_ODD_SPACES = ("  ", "\t", "\r", "\v", "\f", *"\x1c\x1d\x1e\x1f")
_ODD_SPACES_BEYOND = (
    *"\x85\xa0\xad\u1680\u2028\u2029\u202f\u205f\u3000",
    *map(chr, range(0x2000, 0x200B)),
)

_DATELINE_ALONE = re.compile(
    r"[A-ZÀ-Þ][A-ZÀ-Þ .'’]*(?:, [\w. ]+)?(?:\([^)]+\))? ?[-–—]*"
    r"|[A-ZÀ-Þ][\w .,'’]{1,40}\([^)]+\) ?[-–—]*"
)
_FIELD = re.compile(r"[^\W\d_][^:–]{0,30}(?::| [–-] )")
_BARE_CREDIT = re.compile(r"[.!?”\"] ?[(\[][^()\[\]/:]{2,30}[)\]]\W*$")
_SLASH_NAME = re.compile(r"/ ?([A-ZÀ-Þ][^/]{2,39})$")


class Stripped(NamedTuple):
    """An article's text without furniture.

    Attributes:
      text: what is left, one paragraph a line.
      removed: each line or passage that went, and why, in the order of the page.
      credited_source: who the page credits with the text; None if nobody.
    """

    text: str
    removed: list[tuple[str, str]]
    credited_source: str | None


def split_lines(text: str) -> list[str]:
    r"""Give the lines of a text, empty ones too, white space and soft hyphens folded.

    >>> split_lines("One\u00a0 line\n\nanother")
    ['One line', '', 'another']
    """
    if not _has_odd_spaces(text):
        return [line.strip(" ") for line in text.split("\n")]
    return [" ".join(line.split()) for line in text.replace("\u00ad", "").split("\n")]


def _has_odd_spaces(text: str) -> bool:
    for mark in _ODD_SPACES:
        if mark in text:
            return True
    if not text.isascii():
        for mark in _ODD_SPACES_BEYOND:
            if mark in text:
                return True
    return False


def strip(
    text: str,
    title: str | None = None,
    known: Sequence[int] | npt.NDArray[np.integer] | npt.NDArray[np.bool_] = (),
    *,
    source: str | None = None,
    ruled: Sequence[str | None] = (),
    agencies: Container[int] = frozenset(),
    min_words: int = 40,
    menu_lines: int = 10,
    page_probability: float = 0.35,
    page_model: PageModel | None = None,
) -> Stripped:
    r"""Strip the furniture off one article.

    Args:
      text: as scraped, lines parted by "\n".
      title: of the article; a line that is the title is never furniture.
      known: for each line of the text, empty ones included, what other articles say of
        it: RECURS, IS_PROPER, IS_HEADLINE, IS_AGENCY, added; empty for nothing.
      source: of the article.
      ruled: for each line, empty ones included, what `line_reason` says of it; empty if
        it was not asked yet.
      agencies: line keys of names that datelines give.
      min_words: with fewer words left, captions and credits are taken back.
      menu_lines: with so many lines in rows of short ones a text is a whole page.
      page_probability: lines of a page stay if they are of the article with at least that
        probability.
      page_model: what tells that; None for the one that comes with the project.

    Raises:
      ValueError: if `known` or `ruled` tell of another number of lines.

    >>> strip("Log In\nTwo people were hurt on Sunday.\nFollow us on:").text
    'Two people were hurt on Sunday.'
    """
    lines = split_lines(text)
    for name, values in (("known", known), ("ruled", ruled)):
        if len(values) not in (0, len(lines)):
            raise ValueError(
                f"{name} must tell of each of {len(lines)} lines, got {len(values)} values"
            )
    full = [i for i, line in enumerate(lines) if line]
    flags = [known[i] for i in full] if len(known) else [0] * len(full)
    rules = (
        [ruled[i] for i in full] if len(ruled) else [line_reason(lines[i]) for i in full]
    )
    lines = [lines[i] for i in full]
    reasons = line_reasons(lines, rules, flags, title, source, agencies)
    body: npt.NDArray[np.bool_] | None = None
    if is_page(lines, reasons, menu_lines=menu_lines):
        body = take_page_lines(
            lines,
            reasons,
            _headline(title),
            model=page_model,
            min_probability=page_probability,
            min_words=min_words,
        )
    credit = credited_source(
        lines,
        reasons,
        source=source,
        agencies={
            line for line, flag in zip(lines, flags, strict=True) if flag & IS_AGENCY
        },
    )

    kept: list[str] = []
    removed: list[tuple[str, str]] = []
    segmented = may_hold_segments(text)
    for line, reason in zip(lines, reasons, strict=True):
        if reason:
            removed.append((line, reason))
        elif segmented:
            rest, segments = cut_segments(line)
            removed += segments
            if rest:
                kept.append(rest)
        else:
            kept.append(line)
    if removed and _fewer_words(kept, min_words):
        kept, removed = _take_back(lines, reasons, body)
    return Stripped("\n".join(kept), removed, credit)


def line_reasons(
    lines: Sequence[str],
    rules: Sequence[str | None],
    flags: Sequence[int] | None = None,
    title: str | None = None,
    source: str | None = None,
    agencies: Container[int] = frozenset(),
) -> list[str | None]:
    """Give the reason why each line goes, None for one that stays.

    Args:
      lines: of a text, none empty.
      rules: what `line_reason` says of each.
      flags: what other articles say of each; None for nothing.
      title: of the article.
      source: of the article.
      agencies: line keys of names that datelines give.
    """
    headline = _headline(title)
    flags = [0] * len(lines) if flags is None else flags
    reasons: list[str | None] = []
    seen: set[str] = set()
    for line, reason, flag in zip(lines, rules, flags, strict=True):
        if headline and len(line) == len(headline) and line.lower() == headline:
            reason, flag = None, 0
        if not reason and flag:
            reason = _known_reason(line, flag, title)
        if not reason:
            if line in seen and line.count(" ") + 1 >= _REPEAT_WORDS:
                reason = "repeat"
            seen.add(line)
        reasons.append(reason)
    _keep_closing_credit(lines, reasons)
    _name_credits(lines, reasons, flags, agencies)
    _take_sandwiched(lines, reasons)
    take_bylines(lines, reasons, title, source)
    _take_links(lines, reasons, headline)
    return reasons


def _headline(title: str | None) -> str | None:
    """Fold a title as the lines are that are compared with it."""
    return " ".join(title.split()).lower() if title else None


def _known_reason(line: str, flag: int, title: str | None) -> str | None:
    """Give the reason why a line goes for what other articles say of it."""
    if flag & IS_HEADLINE and not _is_own_title(line, title):
        return "related"
    if flag & RECURS and not is_guarded(line):
        return "recurs"
    if flag & IS_PROPER and line[0] not in _QUOTES and speaks_to_reader(line):
        return "recurs"
    return None


def _is_own_title(line: str, title: str | None) -> bool:
    """Tell whether a line may be another version of an article's own headline."""
    own, other = set(title_stems(title)), set(title_stems(line))
    return not own or len(own & other) >= _SAME_TITLE * min(len(own), len(other))


def speaks_to_reader(line: str) -> bool:
    """Tell whether a line says "you" or "we".

    >>> speaks_to_reader("Legal notices must reach us by noon on Wednesday.")
    True
    """
    return not phrases().words["reader"].isdisjoint(words_of(line))


def is_guarded(line: str) -> bool:
    """Tell whether a line stays though its source repeats it.

    Short sentences ("The investigation is ongoing."), quotations in two versions of a
    report, datelines and fields of a list ("Age: 27", alike once numbers are folded)
    repeat and belong to the article.
    """
    words = line.count(" ") + 1
    return (
        (words < _TEMPLATE_WORDS and ends_sentence(line))
        or (line[0] in _QUOTES and words > _SANDWICH_WORDS)
        or _FIELD.match(line) is not None
        or (words <= 6 and len(line) > 3 and _DATELINE_ALONE.fullmatch(line) is not None)
    )


def _keep_closing_credit(lines: Sequence[str], reasons: list[str | None]) -> None:
    """Keep the last paragraph when "(AFP)" at its end made it look like a caption."""
    if "caption" not in reasons:
        return
    last = len(lines) - 1
    while last >= 0 and reasons[last]:
        last -= 1
    for i in range(last + 1, len(lines)):
        if reasons[i] == "caption" and _BARE_CREDIT.search(lines[i]):
            reasons[i] = None
            return


def _name_credits(
    lines: Sequence[str],
    reasons: list[str | None],
    flags: Sequence[int],
    agencies: Container[int],
) -> None:
    """Take a line that is the name of an agency or outlet, or a caption with one."""
    for i, line in enumerate(lines):
        if reasons[i]:
            continue
        if len(line) <= 45 and (flags[i] & IS_AGENCY or names_only(line)):
            reasons[i] = "credit"
        elif agencies and "/" in line and not has_dateline(line):
            name = _SLASH_NAME.search(line[-45:])
            if name and line_key(name[1]) in agencies:
                reasons[i] = "caption"


def _take_sandwiched(lines: Sequence[str], reasons: list[str | None]) -> None:
    """Take a few words that stand between two buttons, as a name in a bar does."""
    if _BUTTONS.isdisjoint(reasons):
        return
    first = next(
        (i for i, line in enumerate(lines) if not reasons[i] and line.count(" ") >= 3), -1
    )
    for i in range(1, len(lines) - 1):
        line = lines[i]
        if (
            reasons[i] is None
            and i != first
            and line.count(" ") < _SANDWICH_WORDS
            and reasons[i - 1] in _BUTTONS
            and reasons[i + 1] in _BUTTONS
            and not ends_sentence(line)
            and not line.endswith(":")
            and not any(mark in line for mark in '"“”„«»')
        ):
            reasons[i] = "ui"


def _take_links(
    lines: Sequence[str], reasons: list[str | None], headline: str | None
) -> None:
    """Take the headlines below "More on this story" when no paragraph follows them.

    Between two paragraphs the one line below "Related" is taken.
    """
    if _BUTTONS.isdisjoint(reasons):
        return
    last = len(lines) - 1
    while last >= 0 and (reasons[last] or not ends_sentence(lines[last])):
        last -= 1
    links = 0
    for i, (line, reason) in enumerate(zip(lines, reasons, strict=True)):
        short = line.count(" ")
        if reason:
            header = short < _HEADER_WORDS and reason in _BUTTONS
            if header and i > last and reason == "related":
                links = _MOST_LINKS
            elif header and i < last and _is_header(line):
                links = 1
            elif i < last:
                links = 0
        elif (
            links
            and short < _LINK_WORDS
            and line.lower() != headline
            and not line.endswith((".", ":"))
            and (i > last or (i < last and _opens_paragraph(lines, reasons, i + 1)))
        ):
            reasons[i] = "related"
            links -= 1
        else:
            links = 0


def _is_header(line: str) -> bool:
    """Tell whether a line heads links to other articles, and is none itself."""
    return not line.endswith(".") and not phrases().words["links"].isdisjoint(
        words_of(line)[:1]
    )


def _opens_paragraph(
    lines: Sequence[str], reasons: Sequence[str | None], place: int
) -> bool:
    return not reasons[place] and ends_sentence(lines[place])


def _fewer_words(lines: Iterable[str], words: int) -> bool:
    """Tell whether lines have fewer words than that, without counting a long text."""
    text = "\n".join(lines)
    if len(text) > 20 * words:
        return False
    return int(count_words(pa.array([text]))[0]) < words


def _take_back(
    lines: Sequence[str],
    reasons: Sequence[str | None],
    body: npt.NDArray[np.bool_] | None,
) -> tuple[list[str], list[tuple[str, str]]]:
    """Keep captions and credits too, each once, and of a page those of its article."""
    kept: list[str] = []
    removed: list[tuple[str, str]] = []
    for i, (line, reason) in enumerate(zip(lines, reasons, strict=True)):
        if reason is None or (
            reason in _TAKEN_BACK and line not in kept and (body is None or body[i])
        ):
            kept.append(line)
        else:
            removed.append((line, reason))
    return kept, removed
