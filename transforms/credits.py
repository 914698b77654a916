"""Credits: who a text comes from, as the page itself says.

Ten sites that print one agency report are ten articles and one origin. The page names
that origin in few places: the agency in a dateline, a byline, the line of rights or of
credits below the text, a note such as "based on materials published by". They are read
before furniture is thrown away, and stored under one name, whatever the page writes:
"(AP) —" and "By The Associated Press" are the same credit.

A mention is no credit: "a source told Reuters" says who was told, not who wrote this.
So a name counts in those places alone, and outside of explicit notes only a name of
`data/credits.txt` does.
"""

import functools
import pathlib
import re
from collections.abc import Sequence

from transforms.furniture import ends_sentence
from transforms.phrases import words_of

# A dateline is looked for in the first lines, a closing credit in the last.
_OPENING_LINES = 5
_CLOSING_LINES = 3
_LONGEST_NAME = 6
_LONGEST_NOTE = 400

_DATELINE_CREDIT = re.compile(
    r"[^\W\d_][^.!?()]{0,80}?(?:\.[^.!?()]{0,40})?"
    r"\(([^()]{2,40})\) ?(?:—|–|--|-|:|$|[A-Z“\"])"
)
_OPENING_PARENTHESES = re.compile(r"\(([^()]{2,30})\) ?(?:—|–|--|-|:|[A-Z“\"])")
_OPENING_NAME = re.compile(r"([^\W\d_][\w. ]{1,30}?) ?(?:—|–|--| - |: )")
_CLOSING_CREDIT = re.compile(
    r"(?:[(\[]([^()\[\]]{2,40})[)\]]|(?:—|–|--|[.”\"] ?-|/) ?([\w ]{2,25}))\W*$"
)
_NAME_END = re.compile(
    r"[.,;:|()\[\]]|\s(?:on|under|and|in|here|at|auf|am|el|le|und|y|et)\s|\s[–—-]\s|$", re.I
)
_NOT_A_NAME = re.compile(r"\d|https?:|@")


@functools.cache
def _names() -> dict[tuple[str, ...], str]:
    """Give the stored name of every known way to write one, by its words."""
    names = {}
    for line in _section("names"):
        name, written = line.split("=")
        for way in written.split(","):
            names[tuple(words_of(way))] = name.strip()
        names[tuple(words_of(name))] = name.strip()
    return names


@functools.cache
def _section(name: str) -> tuple[str, ...]:
    """Give the entries of a section of the credits file."""
    path = pathlib.Path(__file__).parent / "data" / "credits.txt"
    content = path.read_text(encoding="utf-8").split(f"[{name}]\n")[1].split("\n[")[0]
    return tuple(
        line.strip()
        for line in content.splitlines()
        if line.strip() and not line.startswith(";")
    )


@functools.cache
def _origins() -> re.Pattern[str]:
    phrases = sorted(_section("origins"), key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, phrases))}):? ?", re.I)


@functools.cache
def _telling_words() -> frozenset[str]:
    """Give the longest word of each note of origin, without those that hold another."""
    words = {max(phrase.split(), key=len) for phrase in _section("origins")}
    return frozenset(
        word for word in words if not any(o in word and o != word for o in words)
    )


@functools.cache
def _labels() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words_of(label)) for label in _section("labels"))


def known_name(text: str) -> str | None:
    """Give the stored name of an agency or outlet that a text is, or has among its parts.

    >>> known_name("KMOX/AP")
    'Associated Press'
    >>> known_name("the Reuters building")
    """
    if len(text) > 60:
        return None
    names = _names()
    if name := names.get(tuple(words_of(text))):
        return name
    for part in re.split(r"[/,|•·;]| - | – | — |\band\b|\bvia\b|&", text):
        words = tuple(words_of(part))
        if words and (name := names.get(words)):
            return name
    return None


def names_only(line: str) -> bool:
    """Tell whether a line is the name of an agency or outlet and nothing else."""
    words = words_of(line.strip(" ()•|-–—"))
    return len(line) <= 45 and tuple(words[words[:1] == ["via"] :]) in _names()


def credited_source(lines: Sequence[str], reasons: Sequence[str | None]) -> str | None:
    """Give the name of who a text is credited to.

    Args:
      lines: of the whole page, furniture included.
      reasons: why each line is furniture; None for a line of the article.

    Returns:
      One name, an explicit note of origin before an agency's mark, the mark at the
      head of the text before one at its foot; None where nobody is credited.

    >>> credited_source(["PARIS (AFP) - It rained.", "It is wet."], [None, None])
    'AFP'
    """
    kept = [line for line, reason in zip(lines, reasons, strict=True) if not reason]
    furniture = [line for line, reason in zip(lines, reasons, strict=True) if reason]
    return (
        _noted_origin(lines)
        or _opening_credit(kept[:_OPENING_LINES])
        or _byline_credit(lines, reasons)
        or _labelled_origin(lines, reasons)
        or _rights_credit(furniture, reasons)
        or _closing_credit(kept[-_CLOSING_LINES:])
    )


def _name_at(text: str) -> str | None:
    """Give the name that a text begins with: known, or capitalised and short."""
    name = text[: _NAME_END.search(text).start()].strip(" \"'“”«»-–—")  # type: ignore[union-attr]
    if not name or len(words_of(name)) > _LONGEST_NAME or _NOT_A_NAME.search(name):
        return None
    if known := known_name(name):
        return known
    first = name.removeprefix("the ").strip()[:1]
    return name if first.isupper() or not first.isascii() else None


def _noted_origin(lines: Sequence[str]) -> str | None:
    """Read "originally published by X", "based on materials published by X"."""
    # Nearly no page has such a note: a look for its telling word spares the rest.
    page = "\n".join(line for line in lines if len(line) <= _LONGEST_NOTE).lower()
    if not any(word in page for word in _telling_words()):
        return None
    if not any(phrase in page for phrase in _section("origins")):
        return None
    for line in lines:
        if len(line) <= _LONGEST_NOTE and (note := _origins().search(line)):
            name = _name_at(line[note.end() :])
            if name and name.lower() not in ("this site", "our site"):
                return name
    return None


def _opening_credit(lines: Sequence[str]) -> str | None:
    """Read "ISTANBUL, May 16 (Reuters) - ", "(CNN) — ", "AP - " at the head of a line."""
    for line in lines:
        for pattern in (_DATELINE_CREDIT, _OPENING_PARENTHESES, _OPENING_NAME):
            found = pattern.match(line[:140])
            if found and (name := known_name(found[1])):
                return name
    return None


def _byline_credit(lines: Sequence[str], reasons: Sequence[str | None]) -> str | None:
    """Read "By Reuters", "Jane Doe, Associated Press", a line "AFP" at head or foot."""
    for place, (line, reason) in enumerate(zip(lines, reasons, strict=True)):
        if len(line) > 120:
            continue
        if reason == "byline":
            for part in (line, line.split(" ", 1)[-1]):
                if name := known_name(part) or _last_name(part):
                    return name
        near = place < _OPENING_LINES + 2 or place >= len(lines) - _CLOSING_LINES - 2
        if near and reason in (None, "credit") and names_only(line):
            return known_name(line.strip(" ()•|-–—"))
    return None


def _last_name(text: str) -> str | None:
    """Give the known name that a byline ends with, "JANE DOEAssociated Press" too."""
    names = _names()
    parted = re.sub(r"(?<=[a-zA-Z])(?=(?:The )?Associated Press)", " ", text)
    words = words_of(parted)
    for count in (3, 2, 1):
        if len(words) > count and (name := names.get(tuple(words[-count:]))):
            return name
    return None


def _labelled_origin(lines: Sequence[str], reasons: Sequence[str | None]) -> str | None:
    """Read "Origin: X" and a line "Origin:" with the name on a line below it."""
    for place, line in enumerate(lines):
        if len(line) > 80:
            continue
        head, mark, rest = line.strip(" (").partition(":")
        if not mark:
            head, mark, rest = line.strip(" (").partition(" ")
            mark = mark if known_name(rest.strip(" ).")) else ""
        if not mark or tuple(words_of(head)) not in _labels():
            continue
        # Below a table "Source:" names whose numbers they are; at the foot, whose text.
        at_foot = place >= len(lines) - 4 or len(lines) < 4 or reasons[place] is None
        if rest.strip():
            known = known_name(rest.strip(" )."))
            if known or (at_foot and (known := _name_at(rest))):
                return known
            continue
        for below in lines[place + 1 : place + 4]:
            if below.lower() != "publisher logo" and not ends_sentence(below):
                return _name_at(below)
    return None


def _rights_credit(furniture: Sequence[str], reasons: Sequence[str | None]) -> str | None:
    """Read "© 2019 The Associated Press. All rights reserved", "Editing by J. Doe"."""
    names = _names()
    for line in furniture:
        if len(line) > 700:
            continue
        words = words_of(line)
        if "rights" in words or "copyright" in words or "©" in words:
            for start in range(min(len(words), 30)):
                for count in (3, 2):
                    name = names.get(tuple(words[start : start + count]))
                    if name and name in ("Associated Press", "CNN", "Reuters", "AFP"):
                        return name
        if "reporting by" in line.lower() and "editing by" in line.lower():
            return "Reuters"
    return None


def _closing_credit(lines: Sequence[str]) -> str | None:
    """Read "... he said. (AFP)", "— Reuters" at the foot of the text."""
    for line in reversed(lines):
        found = _CLOSING_CREDIT.search(line[-60:])
        if found and (name := known_name(found[1] or found[2])):
            return name
    return None
