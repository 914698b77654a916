"""What is printed: texts of others, made harmless for a terminal and for a log.

Titles, ids, file names and messages of libraries hold what whoever wrote an article put
there: escapes that move the cursor or rename the window, marks that turn the direction of
what follows. And what a caller names may hold a password.
"""

import re
import sys
import traceback
import types
import unicodedata

# Invisible, but what scripts and emoji are joined and parted by.
_JOINERS = "\u200c\u200d"
# Control and format characters, halves of surrogate pairs, line and paragraph separators.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")

# A path loses one of its two slashes.
_USER = re.compile(r"(:/{1,2})[^/\s@]+(?=@)")
_SIGNED = re.compile(
    r"(?<=[?&])((?:x-(?:goog|amz)-[\w-]+|sig|signature|(?:access_|api_?)?(?:token|key)|password)=)"
    r"[^&\s]+",
    re.I,
)


def visible(text: str) -> str:
    r"""Write what has no shape of its own as escapes: no terminal has to obey it.

    >>> visible("red\x1b[31m")
    'red\\x1b[31m'
    """
    return text if text.isprintable() else "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN or character in _JOINERS:
        return character
    return character.encode("unicode_escape").decode()


def without_secrets(text: str) -> str:
    """Leave out users, passwords and signatures of addresses.

    >>> without_secrets("https://me:word@store.example/a?sig=abc&b=1")
    'https://…@store.example/a?sig=…&b=1'
    """
    return _SIGNED.sub(r"\1…", _USER.sub(r"\1…", text))


def sentence(text: str) -> str:
    """Give a message as it may be printed: on one line, without secrets."""
    return visible(without_secrets(text))


def tell_crash(
    kind: type[BaseException],
    error: BaseException,
    trace: types.TracebackType | None,
) -> None:
    """Print an error that nobody expected, as Python does, but fit for a terminal."""
    for part in traceback.format_exception(kind, error, trace):
        for line in part.splitlines():
            print(sentence(line), file=sys.stderr)
