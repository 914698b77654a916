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
      rules: the others: place and words of each, from the last one where it is `ends`.
    """

    def __init__(self, files: Iterable[tuple[str, str]]) -> None:
        """Compile phrase files.

        Args:
          files: name and content of each.

        Raises:
          ValueError: if a line stands under no section or a section's place is unknown.
        """
        self._rules = {place: _Node() for place in LONGEST}
        self.rules: list[tuple[str, tuple[str, ...]]] = []
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
                        self.rules.append((place, way))
        self._anchors = frozenset(self._rules["contains"].words)

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
