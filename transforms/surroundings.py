"""Surroundings: which lines of one text go for what stands around them, and why.

A line may say of itself that it is furniture (`furniture.py`), or its source may repeat
it (`recurrence.py`). Then what stands between two buttons goes, names beside a date, links
below "More on this story", and what was already said on the page. If hardly a text is
left, captions come back: a page that is one captioned picture is that caption.

Template sentences and the fields of a list repeat as slogans do, and a wrong removal is
worse than a slogan that is left. So they stay, unless all that is known speaks against
them: no other source has the line, it keeps to the edge of the page, and it speaks to the
reader, as "Legal notices must reach us by noon" does and "No arrests were made" does not.
"""

import functools
import re
from collections.abc import Container, Sequence

import numpy as np
import numpy.typing as npt

from transforms.bylines import take_bylines
from transforms.close_reading import (
    BUTTONS,
    HEADER_WORDS,
    LINK_WORDS,
    SANDWICH_WORDS,
    SLASH_TAIL,
)
from transforms.credits import names_only
from transforms.furniture import ends_sentence, has_dateline
from transforms.line_words import line_key
from transforms.phrases import phrases, words_of
from transforms.titles import title_stems

# What is known of a line from other articles, as bits: its source, or every site, repeats
# it; it is proper to its source; it is the title of another article; it names an agency.
RECURS, IS_PROPER, IS_HEADLINE, IS_AGENCY = 1, 2, 4, 8

REPEAT_WORDS = 4
# What comes back when hardly a text is left.
TAKEN_BACK = frozenset(("caption", "rights", "credit"))
_TEMPLATE_WORDS = 12
_OPENING_QUOTES = "\"'“”„‘«»「『"
_MOST_LINKS = 12
_SAME_TITLE = 0.5

_DATELINE_ALONE = re.compile(
    r"[A-ZÀ-Þ][A-ZÀ-Þ .'’]*(?:, [\w. ]+)?(?:\([^)]+\))? ?[-–—]*"
    r"|[A-ZÀ-Þ][\w .,'’]{1,40}\([^)]+\) ?[-–—]*"
)
# A headline before the name of its site.
_WITH_SITE = re.compile(r"(.+) [|:·–—-] .+")
_FIELD = re.compile(r"[^\W\d_][^:–]{0,30}(?::| [–-] )")
_BARE_CREDIT = re.compile(r"[.!?”\"] ?[(\[][^()\[\]/:]{2,30}[)\]]\W*$")
_SLASH_NAME = re.compile(r"/ ?([A-ZÀ-Þ][^/]{2,39})$")


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
    own = headline(title)
    flags = [0] * len(lines) if flags is None else flags
    reasons: list[str | None] = []
    seen: set[str] = set()
    for line, reason, flag in zip(lines, rules, flags, strict=True):
        if own and len(line) == len(own) and line.lower() == own:
            reason, flag = None, 0
        if not reason and flag:
            reason = known_reason(line, flag, title)
        if not reason:
            if line in seen and line.count(" ") + 1 >= REPEAT_WORDS:
                reason = "repeat"
            seen.add(line)
        reasons.append(reason)
    _keep_closing_credit(lines, reasons)
    _name_credits(lines, reasons, flags, agencies)
    _take_sandwiched(lines, reasons)
    take_bylines(lines, reasons, title, source)
    _take_links(lines, reasons, own)
    return reasons


def headline(title: str | None) -> str | None:
    """Fold a title as the lines are that are compared with it."""
    return " ".join(title.split()).lower() if title else None


def is_title(line: str, title: str | None) -> bool:
    """Tell whether a line is the title, the name of its site and full stops aside.

    >>> is_title("Storm nears coast.", "Storm Nears Coast | Valley News")
    True
    """
    own = headline(title)
    if not own:
        return False
    line = line.lower().rstrip(".")
    if line == own.rstrip("."):
        return True
    found = _WITH_SITE.fullmatch(own) if own.startswith(line) else None
    return found is not None and line == found[1].rstrip(".")


def known_reason(line: str, flag: int, title: str | None) -> str | None:
    """Give the reason why a line goes for what other articles say of it."""
    if flag & IS_HEADLINE and not _is_own_title(line, title):
        return "related"
    if flag & RECURS and not is_guarded(line):
        return "recurs"
    if flag & IS_PROPER and line[0] not in _OPENING_QUOTES and speaks_to_reader(line):
        return "recurs"
    return None


def _is_own_title(line: str, title: str | None) -> bool:
    """Tell whether a line may be another version of an article's own headline."""
    own, other = set(title_stems(title)), set(title_stems(line))
    return not own or len(own & other) >= _SAME_TITLE * min(len(own), len(other))


@functools.lru_cache(maxsize=1 << 14)
def speaks_to_reader(line: str) -> bool:
    """Tell whether a line says "you" or "we".

    >>> speaks_to_reader("Legal notices must reach us by noon on Wednesday.")
    True
    """
    return not phrases().words["reader"].isdisjoint(words_of(line))


@functools.lru_cache(maxsize=1 << 14)
def is_guarded(line: str) -> bool:
    """Tell whether a line stays though its source repeats it.

    Short sentences ("The investigation is ongoing."), quotations in two versions of a
    report, datelines and fields of a list ("Age: 27", alike once numbers are folded)
    repeat and belong to the article.
    """
    words = line.count(" ") + 1
    return (
        (words < _TEMPLATE_WORDS and ends_sentence(line))
        or (line[0] in _OPENING_QUOTES and words > SANDWICH_WORDS)
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
        if len(line) <= SLASH_TAIL and (flags[i] & IS_AGENCY or names_only(line)):
            reasons[i] = "credit"
        elif agencies and "/" in line and not has_dateline(line):
            name = _SLASH_NAME.search(line[-SLASH_TAIL:])
            if name and line_key(name[1]) in agencies:
                reasons[i] = "caption"


def _take_sandwiched(lines: Sequence[str], reasons: list[str | None]) -> None:
    """Take a few words that stand between two buttons, as a name in a bar does."""
    if BUTTONS.isdisjoint(reasons):
        return
    first = next(
        (i for i, line in enumerate(lines) if not reasons[i] and line.count(" ") >= 3), -1
    )
    for i in range(1, len(lines) - 1):
        line = lines[i]
        if (
            reasons[i] is None
            and i != first
            and line.count(" ") < SANDWICH_WORDS
            and reasons[i - 1] in BUTTONS
            and reasons[i + 1] in BUTTONS
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
    if BUTTONS.isdisjoint(reasons):
        return
    last = len(lines) - 1
    while last >= 0 and (reasons[last] or not ends_sentence(lines[last])):
        last -= 1
    links = 0
    for i, (line, reason) in enumerate(zip(lines, reasons, strict=True)):
        short = line.count(" ")
        if reason:
            header = short < HEADER_WORDS and reason in BUTTONS
            if header and i > last and reason == "related":
                links = _MOST_LINKS
            elif header and i < last and _is_header(line):
                links = 1
            elif i < last:
                links = 0
        elif (
            links
            and short < LINK_WORDS
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


def take_back(
    lines: Sequence[str],
    reasons: list[str | None],
    body: npt.NDArray[np.bool_] | None,
) -> None:
    """Keep captions and credits too, each once, and of a page those of its article.

    Args:
      lines: of the text, none empty.
      reasons: why each goes; None is written where it is taken back.
      body: shape (m,). The lines that are of the article of a page; None for no page.
    """
    kept: set[str] = set()
    for i, (line, reason) in enumerate(zip(lines, reasons, strict=True)):
        if reason is None:
            kept.add(line)
        elif reason in TAKEN_BACK and line not in kept and (body is None or body[i]):
            reasons[i] = None
            kept.add(line)
