"""Bylines: who wrote it, where the page does not say "By".

"Beatrice Onslow" on a line of its own is a byline below a headline and beside a date, and
a name in a list of winners anywhere else. So three things are asked: the line must have
the shape of a name, a desk or the outlet itself; it must stand above the first paragraph
or below the last; and a line beside it must be a date, a byline or a credit. A headline
can look like a name too ("Storm Nears Coast"): its words stand in small letters somewhere
in the text, or in the title, and those of a name do not.
"""

import re
from collections.abc import Sequence

from transforms.credits import has_outlet
from transforms.furniture import ends_sentence, has_dateline
from transforms.phrases import phrases, words_of

PARAGRAPH = 100
_MOST_NAME_WORDS = 4
_MOST_OUTLET_WORDS = 8
MOST_DESK_WORDS = 5
LONGEST_NAME_LINE = 80
BESIDE = frozenset(("date", "byline", "credit"))
_JOINED = re.compile(r", | & | (?:and|und|et|y|e|i|en|och|og) ")
_PARTICLES = frozenset(
    (
        *("al", "bin", "da", "de", "del", "della", "den", "der", "di", "do", "dos", "du"),
        *("el", "la", "le", "ten", "ter", "van", "von", "zu"),
    )
)
_NAME_WORD = re.compile(r"[A-ZÀ-Þ][^\W\d_]*(?:['’.-]+[^\W\d_]*)*")


def is_name(line: str) -> bool:
    """Tell whether a line has the shape of a person's name, or of several.

    >>> is_name("Priya Hallworth and Owen van Strick")
    True
    >>> is_name("What happened on board?")
    False
    """
    if len(line) > LONGEST_NAME_LINE or ends_sentence(line):
        return False
    for name in _JOINED.split(line):
        words = name.split()
        if not 2 <= len(words) <= _MOST_NAME_WORDS:
            return False
        if not _NAME_WORD.fullmatch(words[0]) or not _NAME_WORD.fullmatch(words[-1]):
            return False
        if not all(_NAME_WORD.fullmatch(word) or word in _PARTICLES for word in words):
            return False
    return True


def is_desk(line: str) -> bool:
    """Tell whether a line names a part of a newsroom: "Markets Desk"."""
    words = line.split()
    return (
        0 < len(words) <= MOST_DESK_WORDS
        and words[0][0].isupper()
        and words[-1].lower() in phrases().words["desk"]
    )


def names_outlet(line: str, source: str | None) -> bool:
    """Tell whether a short line holds the name of its own source.

    >>> names_outlet("Silje Aamodt, Fjordpost in English", "fjordpost.example")
    True
    """
    if line.count(" ") >= _MOST_OUTLET_WORDS or ends_sentence(line):
        return False
    return line[0].isupper() and has_outlet(line, source)


def take_bylines(
    lines: Sequence[str],
    reasons: list[str | None],
    title: str | None = None,
    source: str | None = None,
) -> None:
    """Give names beside a date or byline, at the head or foot of the page, a reason.

    Args:
      lines: of the page, none empty.
      reasons: why each line goes; "byline" is written where it is None.
      title: of the article.
      source: of the article.
    """
    if not BESIDE.intersection(reasons):
        return
    headline = title.lower() if title else ""
    prose = [
        i
        for i, line in enumerate(lines)
        if not reasons[i] and _is_prose(line) and line.lower() != headline
    ]
    first, last = (prose[0], prose[-1]) if prose else (len(lines), len(lines))
    found = [
        i
        for i, line in enumerate(lines)
        if not reasons[i]
        and len(line) <= LONGEST_NAME_LINE
        and not first <= i <= last
        and line.lower() != headline
        and (is_name(line) or is_desk(line) or names_outlet(line, source))
    ]
    if not title and found:
        # Where the title is not known the first line left may be it.
        unexplained = next(i for i, reason in enumerate(reasons) if not reason)
        found = [i for i in found if i != unexplained]
    listed = [i for i in found if i > last and (i - 1 in found or i + 1 in found)]
    found = [i for i in found if i not in listed]
    text = " ".join(lines[i] for i in prose)
    found = [i for i in found if _is_no_headline(lines[i], headline, text, source)]
    # A name beside the date, the outlet beside the name.
    for _ in range(2):
        for i in found:
            beside = (*reasons[max(0, i - 1) : i], *reasons[i + 1 : i + 2])
            if not reasons[i] and not BESIDE.isdisjoint(beside):
                reasons[i] = "byline"


def _is_prose(line: str) -> bool:
    return len(line) > PARAGRAPH or ends_sentence(line) or has_dateline(line)


def _is_no_headline(line: str, headline: str, text: str, source: str | None) -> bool:
    """Tell whether no word of a line is an ordinary one of the text or of the title."""
    if is_desk(line) or names_outlet(line, source):
        return True
    words = [word for word in words_of(line) if len(word) > 3]
    titled = set(words_of(headline))
    return not any(
        word in titled or re.search(rf"\b{re.escape(word)}\b", text) for word in words
    )
