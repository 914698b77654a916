"""Phrases: what site furniture says, as data, and how a line is matched with it.

Phrase files: a section head `[place: reason]`, then one rule a line. Place is `whole`,
`begins`, `ends` or `contains`, or `words` for sections of single words that a date, a
share bar or a menu is made of. In a rule `a|b` is either word, `[a|b]` may be left out,
`#` is a number, `...` up to eight words (or the rest of a whole line), and `: / ( ) © @`
must stand where they are written. Letter case and all other marks do not count; `;` opens
a comment line.

Rules are laid as paths in a tree of words, so that a line is matched with all of them at
once: thousands of phrases in ten languages cost what a few do.

The tree is Knuth's trie over words (The Art of Computer Programming 3, section 6.3).
"""

import functools
import itertools
import pathlib
import re
from collections.abc import Iterable, Sequence

# A character of a script without spaces is a word, so that phrases work there too.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(
    rf"[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+(?:'[^\W\d_{_UNSPACED}]+)*|\d+|[:/()©@]"
)
MARKS = frozenset(":/()©@")
_GAP_WORDS = 8
# Characters that hold two words of any rule.
_OPENING = 48

# The bytes of a line with a space for everything that is no letter, digit or beyond ASCII.
_SPACED = bytes(
    byte if byte > 127 or chr(byte).isalnum() else ord(" ") for byte in range(256)
)
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")

# Longest line, in characters, that a rule of that place may take.
LONGEST = {"whole": 130, "begins": 400, "contains": 300, "ends": 260}


class _Node:
    """A step of the rules of one place: where the next word leads."""

    __slots__ = ("gap", "number", "reason", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.number: _Node | None = None
        self.gap: _Node | None = None
        self.reason: str | None = None

    def add(self, rule: Sequence[str], reason: str) -> None:
        """Lay the path of a rule; of two equal rules the first gives the reason."""
        node = self
        for word in rule:
            if word == "#":
                node.number = node.number or _Node()
                node = node.number
            elif word == "...":
                node.gap = node.gap or _Node()
                node = node.gap
            else:
                node = node.words.setdefault(word, _Node())
        node.reason = node.reason or reason


def _match(
    node: _Node, words: Sequence[str], start: int, whole: bool, gaps: bool
) -> str | None:
    """Give the reason of a rule that words[start:] begins with, or is if `whole`."""
    if node.reason and (start == len(words) or not whole):
        return node.reason
    if start < len(words):
        word = words[start]
        following = node.words.get(word)
        if following and (reason := _match(following, words, start + 1, whole, gaps)):
            return reason
        if (
            node.number
            and word.isdecimal()
            and (reason := _match(node.number, words, start + 1, whole, gaps))
        ):
            return reason
    if node.gap and gaps:
        if whole and node.gap.reason:
            return node.gap.reason
        for end in range(start, min(start + _GAP_WORDS, len(words)) + 1):
            if reason := _match(node.gap, words, end, whole, gaps):
                return reason
    return None


def words_of(text: str) -> list[str]:
    """Split a line into lower-case words, numbers and the marks that rules may hold.

    >>> words_of("Published 18 hours ago2 minute read")
    ['published', '18', 'hours', 'ago', '2', 'minute', 'read']
    """
    text = text.lower()
    if not text.isascii():
        text = text.replace("’", "'").replace("：", ":").replace("\u0307", "")
    return _WORD.findall(text)


def first_words(text: str) -> list[str]:
    """Give the first two words of a line, without reading the rest.

    >>> first_words("Published 18 hours ago")
    ['published', '18']
    """
    text = text[:_OPENING].lower()
    if not text.isascii():
        text = text.replace("’", "'").replace("：", ":").replace("\u0307", "")
    first = _WORD.search(text)
    if not first:
        return []
    second = _WORD.search(text, first.end())
    return [first[0], second[0]] if second else [first[0]]


def expand_rule(rule: str) -> Iterable[tuple[str, ...]]:
    """Give every sequence of words that a rule of a phrase file stands for.

    >>> list(expand_rule("sign in|up [now]"))
    [('sign', 'in', 'now'), ('sign', 'in'), ('sign', 'up', 'now'), ('sign', 'up')]
    """
    choices: list[list[tuple[str, ...]]] = []
    for part in rule.split():
        optional = part.startswith("[") and part.endswith("]")
        alternatives = [
            (word,) if word in ("#", "...") else tuple(words_of(word))
            for word in (part[1:-1] if optional else part).split("|")
        ]
        choices.append(alternatives + [()] * optional)
    for path in itertools.product(*choices):
        yield tuple(itertools.chain.from_iterable(path))


class Phrases:
    """The phrase files of every language, ready to be matched.

    Attributes:
      words: the `words` sections by kind: "date", "share", "menu", "weather", ...
    """

    def __init__(self, files: Iterable[tuple[str, str]]) -> None:
        """Compile phrase files.

        Args:
          files: name and content of each.

        Raises:
          ValueError: if a line stands under no section or a section's place is unknown.
        """
        self._rules = {place: _Node() for place in LONGEST}
        self._telling: dict[bytes, set[bytes]] = {}
        self.words: dict[str, frozenset[str]] = {}
        for name, content in files:
            place = reason = ""
            for number, line in enumerate(content.splitlines(), 1):
                if not line.strip() or line.startswith(";"):
                    continue
                head = re.fullmatch(r"\[(\w+): (\w+)\]", line.strip())
                if head:
                    place, reason = head.groups()
                    if place not in (*LONGEST, "words"):
                        raise ValueError(
                            f"{name} line {number}: place must be one of "
                            f"{', '.join((*LONGEST, 'words'))}, got {place}"
                        )
                elif not place:
                    raise ValueError(
                        f"{name} line {number}: a rule must stand under a section "
                        f"such as [whole: ui], got {line!r}"
                    )
                elif place == "words":
                    known = self.words.get(reason, frozenset())
                    self.words[reason] = known.union(words_of(line))
                else:
                    for rule in expand_rule(line):
                        way = rule[::-1] if place == "ends" else rule
                        self._rules[place].add(way, reason)
                        if place == "contains":
                            self._note(rule)
        self._anchors = frozenset(self._rules["contains"].words)
        self._tell = frozenset(self._telling)

    def _note(self, rule: Sequence[str]) -> None:
        """Note the two words that tell best whether a line may contain a rule."""
        plain = {word for word in rule if word.isalnum()} or {*rule}
        first, *others = sorted(plain, key=lambda word: (-len(word), word))
        # The same word twice where a rule has but one.
        second = others[0] if others else first
        self._telling.setdefault(first.encode(), set()).add(second.encode())

    def may_contain(self, text: str) -> bool:
        """Tell, ten times faster than `contains` does, whether it is worth asking."""
        words = text.lower().encode().translate(_SPACED).split()
        if not self._tell.isdisjoint(words):
            there = set(words)
            if any(
                not self._telling[word].isdisjoint(there) for word in self._tell & there
            ):
                return True
        return not text.isascii() and _HAS_UNSPACED.search(text) is not None

    def may_open(self, words: Sequence[str]) -> bool:
        """Tell whether a line of these first two words may be a rule, or begin with one."""
        for place in ("whole", "begins"):
            node = self._rules[place]
            following = node.words.get(words[0])
            if following and (
                len(words) == 1
                or words[1] in following.words
                or following.reason
                or following.number
                or following.gap
            ):
                return True
            if node.number and words[0].isdecimal():
                return True
        return False

    def may_end(self, words: Sequence[str]) -> bool:
        """Tell whether a line of these last words may end with a rule."""
        node = self._rules["ends"]
        return words[-1] in node.words or (bool(node.number) and words[-1].isdecimal())

    def whole(self, words: list[str], *, stopped: bool) -> str | None:
        """Give the reason if a rule is the whole line, final colons aside.

        Args:
          words: of the line.
          stopped: the line ends in a full stop, so it is no phrase of open length.
        """
        node = self._rules["whole"]
        if not words or (words[0] not in node.words and not words[0].isdecimal()):
            return None
        reason = _match(node, words, 0, True, not stopped)
        while not reason and len(words) > 1 and words[-1] == ":":
            words = words[:-1]
            reason = _match(node, words, 0, True, not stopped)
        return reason

    def begins(self, words: Sequence[str]) -> str | None:
        """Give the reason if the line begins with a rule."""
        return _match(self._rules["begins"], words, 0, False, True)

    def ends(self, words: Sequence[str]) -> str | None:
        """Give the reason if the line ends with a rule."""
        return _match(self._rules["ends"], words[::-1], 0, False, True)

    def contains(self, words: Sequence[str]) -> str | None:
        """Give the reason if a rule stands anywhere in the line."""
        if self._anchors.isdisjoint(words):
            return None
        steps = self._rules["contains"].words
        for place, word in enumerate(words[:-1], 1):
            if word in self._anchors:
                node = steps[word]
                # Most first words of rules are common; the second one settles it.
                if (
                    words[place] in node.words or node.gap or node.number or node.reason
                ) and (reason := _match(node, words, place, False, True)):
                    return reason
        return None


@functools.cache
def phrases() -> Phrases:
    """Give the phrase files that come with the project."""
    folder = pathlib.Path(__file__).parent / "data" / "furniture"
    return Phrases(
        (path.name, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.txt"))
    )
