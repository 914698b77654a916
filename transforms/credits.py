"""Credits: who a text comes from, as the page itself says.

Ten sites that print one agency report are ten articles and one origin. The page names
that origin in few places: the agency in a dateline, a byline, the line of rights or of
credits below the text, a note such as "based on materials published by". They are read
before furniture is thrown away, and stored under one name, whatever the page writes:
"(AP) —" and "By The Associated Press" are the same credit.

A mention is no credit: "a source told Reuters" says who was told, not who wrote this.
So a name counts in those places alone, and outside of explicit notes and datelines only a
name of `data/credits.txt` does, or one that datelines of other articles give.
"""

import functools
import pathlib
import re
from collections.abc import Container, Sequence

from transforms.furniture import ends_sentence
from transforms.phrases import words_of

# A dateline is looked for in the first lines, a closing credit in the last.
OPENING_LINES = 5
CLOSING_LINES = 3
# So far from the beginning of a line stands its dash, and so near its end the credit.
OPENING_CHARS, CLOSING_CHARS = 40, 60
LONGEST_BYLINE = 120
_LONGEST_NAME = 6
_LONGEST_NOTE = 400
_LONGEST_RIGHTS = 700

_DATELINE_CREDIT = re.compile(
    r"[^\W\d_][^.!?()]{0,80}?(?:\.[^.!?()]{0,40})?"
    r"\(([^()]{2,40})\) ?(?:—|–|--|-|:|$|[A-Z“\"])"
)
_OPENING_PARENTHESES = re.compile(r"\(([^()]{2,30})\) ?(?:—|–|--|-|:|[A-Z“\"])")
_OPENING_MARK = re.compile(r"[—–:]|--| - ")
_OPENING_NAME = re.compile(r"([^\W\d_][\w. ]{1,30}?) ?(?:—|–|--| - |: )")
_CLOSING_CREDIT = re.compile(
    r"(?:[(\[]([^()\[\]]{2,40})[)\]]|(?:—|–|--|[.”\"] ?-|/) ?([\w ]{2,25}))\W*$"
)
# Only agencies write a town in capitals, a name and a dash: it need not be a known name.
_DATELINE_NAME = re.compile(
    r"[A-ZÀ-Þ][A-ZÀ-Þ.'’-]+(?:[ ,/][^()!?]{0,70})?"
    r"\(([A-ZÀ-Þ][\w .&'’/-]{1,39})\) ?(?:—|–|--|-) ?\S"
)
_AFTER_NAME = re.compile(r"\) ?[—–-]")
_DATELINE_TEXT = 3000
_NAME_END = re.compile(
    r"[.,;:|()\[\]]|\s(?:on|under|and|in|here|at|auf|am|el|le|und|y|et)\s|\s[–—-]\s|$", re.I
)
_DOMAIN_END = re.compile(r"(?:\.(?:co|com|org|net|gov|ac))?\.[a-z]{2,}$")
_NO_LETTER = re.compile(r"[\W_]+")
_SHORTEST_PART = 4
_SHORTEST_OUTLET = 6
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
    # Of a script with spaces the words stand as words.
    notes = sorted(origin_notes(), key=len, reverse=True)
    ways = [rf"\b{re.escape(note)}\b" if " " in note else note for note in notes]
    return re.compile(rf"(?:{'|'.join(ways)}):? ?", re.I)


def origin_notes() -> tuple[str, ...]:
    """Give what stands before the name of who first published a text."""
    return _section("origins")


def known_names() -> list[tuple[str, ...]]:
    """Give the words of every known way to write a name."""
    return sorted(_names())


@functools.cache
def _labels() -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words_of(label)) for label in _section("labels"))


@functools.cache
def label_starts() -> tuple[str, ...]:
    """Give the first words of the labels of an origin."""
    return tuple(sorted({label[0] for label in _labels()}))


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


def is_own_name(name: str, source: str | None) -> bool:
    """Tell whether a name is that of a source, or a part of it.

    >>> is_own_name("the Pilot", "deccanpilot.example")
    True
    """
    part = _folded(name)
    return len(part) >= _SHORTEST_PART and part in _outlet(source)


def has_outlet(line: str, source: str | None) -> bool:
    """Tell whether a line holds the whole name of a source.

    >>> has_outlet("Northquay Times, Scotland", "northquaytimes.example")
    True
    """
    name = _outlet(source)
    return len(name) >= _SHORTEST_OUTLET and name in _folded(line)


@functools.lru_cache(maxsize=1 << 12)
def _outlet(source: str | None) -> str:
    """Give the name of a source: of a domain the part that is registered."""
    return _folded(_DOMAIN_END.sub("", (source or "").lower()).split(".")[-1])


def _folded(text: str) -> str:
    """Give the letters of a name alone, small, without its article."""
    return _NO_LETTER.sub("", text.lower().removeprefix("the "))


def names_only(line: str) -> bool:
    """Tell whether a line is the name of an agency or outlet and nothing else."""
    words = words_of(line.strip(" ()•|-–—"))
    return len(line) <= 45 and tuple(words[words[:1] == ["via"] :]) in _names()


def dateline_name(text: str) -> str | None:
    r"""Give the name in the dateline of a text, known or not.

    >>> dateline_name("By Jane Doe\nLISBON, May 13 (Valley Wire) - It rained.")
    'Valley Wire'
    >>> dateline_name("The mayor (a farmer) - he has cows - said so.")
    """
    for after in _AFTER_NAME.finditer(text, 0, _DATELINE_TEXT):
        start = text.rfind("\n", 0, after.start()) + 1
        if after.start() - start > 120:
            continue
        found = _DATELINE_NAME.match(text, start)
        if found and found.end(1) == after.start():
            name = found[1].strip()
            if known := known_name(name):
                return known
            words = name.split()
            if len(words) <= 4 and all(word[0].isupper() for word in words):
                return None if name.endswith(".") else name
    return None


def names_rights(line: str) -> bool:
    """Tell whether a line may say whose the rights are, or who edited the text."""
    if len(line) > _LONGEST_RIGHTS:
        return False
    lower = line.lower()
    return any(sign in lower for sign in ("rights", "copyright", "©", "editing by"))


def credited_source(
    lines: Sequence[str],
    reasons: Sequence[str | None],
    *,
    source: str | None = None,
    agencies: Container[str] = frozenset(),
    notes: Sequence[str] | None = None,
) -> str | None:
    """Give the name of who a text is credited to.

    Args:
      lines: of the whole page, furniture included.
      reasons: why each line is furniture; None for a line of the article.
      source: of the article: "first published in the Post" at valleypost.example names
        no one else.
      agencies: lines that are a name in the dateline of other articles.
      notes: those of the lines that may note an origin; None for all.

    Returns:
      One name, an explicit note of origin before an agency's mark, the mark at the
      head of the text before one at its foot; None where nobody is credited.

    >>> credited_source(["PARIS (AFP) - It rained.", "It is wet."], [None, None])
    'AFP'
    """
    kept = [line for line, reason in zip(lines, reasons, strict=True) if not reason]
    furniture = [line for line, reason in zip(lines, reasons, strict=True) if reason]
    return (
        _noted_origin(lines if notes is None else notes, source)
        or _opening_credit(kept[:OPENING_LINES])
        or _byline_credit(lines, reasons, agencies)
        or _labelled_origin(lines, reasons)
        or _rights_credit(furniture, lines)
        or _closing_credit(kept[-CLOSING_LINES:])
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


def _noted_origin(lines: Sequence[str], source: str | None) -> str | None:
    """Read "originally published by X", "based on materials published by X"."""
    for line in lines:
        if len(line) <= _LONGEST_NOTE and (note := _origins().search(line)):
            name = _name_at(line[note.end() :])
            if not name or name.lower() in ("this site", "our site"):
                continue
            if known_name(name) or not is_own_name(name, source):
                return name
    return None


def _opening_credit(lines: Sequence[str]) -> str | None:
    """Read "ISTANBUL, May 16 (Reuters) - ", "(CNN) — ", "AP - " at the head of a line."""
    for line in lines:
        head = line[:140]
        patterns = [_OPENING_NAME] if _OPENING_MARK.search(head, 0, OPENING_CHARS) else []
        if "(" in head:
            patterns = [_DATELINE_CREDIT, _OPENING_PARENTHESES, *patterns]
        for pattern in patterns:
            found = pattern.match(head)
            if found and (name := known_name(found[1])):
                return name
    return dateline_name("\n".join(line[:140] for line in lines))


def _byline_credit(
    lines: Sequence[str], reasons: Sequence[str | None], agencies: Container[str]
) -> str | None:
    """Read "By Reuters", "Jane Doe, Associated Press", a line "AFP" at head or foot."""
    for place, (line, reason) in enumerate(zip(lines, reasons, strict=True)):
        if len(line) > LONGEST_BYLINE:
            continue
        if reason == "byline":
            for part in (line, line.split(" ", 1)[-1]):
                if name := known_name(part) or _last_name(part):
                    return name
        near = place < OPENING_LINES + 2 or place >= len(lines) - CLOSING_LINES - 2
        if near and reason in (None, "credit"):
            if names_only(line):
                return known_name(line.strip(" ()•|-–—"))
            if line in agencies:
                return line.strip(" ()•|-–—")
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
        if len(line) > 80 or not line.lower().lstrip("( ").startswith(label_starts()):
            continue
        head, mark, rest = line.replace("：", ":").strip(" (").partition(":")
        if not mark:
            head, mark, rest = line.strip(" (").partition(" ")
            mark = mark if known_name(rest.strip(" ).")) else ""
        if not mark or tuple(words_of(head)) not in _labels():
            continue
        # Below a table "Source:" names whose numbers they are; at the edge, whose text.
        at_edge = place < 4 or place >= len(lines) - 4 or reasons[place] is None
        if rest.strip():
            known = known_name(rest.strip(" )."))
            if known or (at_edge and (known := _name_at(rest))):
                return known
            continue
        for below in lines[place + 1 : place + 4]:
            if below.lower() != "publisher logo" and not ends_sentence(below):
                return _name_at(below)
    return None


def _rights_credit(furniture: Sequence[str], lines: Sequence[str]) -> str | None:
    """Read "© 2019 The Associated Press. All rights reserved", "Editing by J. Doe"."""
    names = _names()
    for line in furniture:
        if not names_rights(line):
            continue
        lower = line.lower()
        if "rights" in lower or "copyright" in lower or "©" in lower:
            words = words_of(line)
            for start in range(min(len(words), 30)):
                for count in (3, 2):
                    name = names.get(tuple(words[start : start + count]))
                    if name and name in ("Associated Press", "CNN", "Reuters", "AFP"):
                        return name
        # Reuters signs so, but is not alone in it: the page must name it somewhere.
        if "reporting by" in lower and "editing by" in lower and _names_reuters(lines):
            return "Reuters"
    return None


def _names_reuters(lines: Sequence[str]) -> bool:
    return any("Reuters" in line or "reuters.com" in line for line in lines)


def _closing_credit(lines: Sequence[str]) -> str | None:
    """Read "... he said. (AFP)", "— Reuters" at the foot of the text."""
    for line in reversed(lines):
        found = _CLOSING_CREDIT.search(line[-CLOSING_CHARS:])
        if found and (name := known_name(found[1] or found[2])):
            return name
    return None
