"""Bring docs/analysts.md up to date: the answer below each question, as it is now.

    python docs/make_analysts.py

In a folder that holds `out` and `grown`, made by the commands that the page shows. A
question is a block of SQL, or of Python that prints; its answer the block of text after it.
SQL that begins with a comment `-- grown` is asked of that folder.
"""

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path

from pipeline.cli import main

PAGE = Path(__file__).parent / "analysts.md"
_ASKED = re.compile(r"```(sql|python)\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def answer(kind: str, block: str) -> str:
    """Give what SQL or Python prints, without blanks at the ends of lines.

    Raises:
      ValueError: if SQL is refused; then the reason is printed.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if kind == "python":
            exec(block, {})
        elif main(["sql", "grown" if block.startswith("-- grown") else "out", block]):
            raise ValueError(f"the page asks what has no answer:\n{block}")
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def page(is_asked: Callable[[str, str], bool] = lambda *_: True) -> str:
    """Make the page.

    Args:
      is_asked: tells of kind and program whether to answer it; other answers stay.
    """

    def answered(found: re.Match[str]) -> str:
        kind, block, before = found.groups()
        after = answer(kind, block) if is_asked(kind, block) else before
        return f"```{kind}\n{block}```\n\n```text\n{after}```"

    return _ASKED.sub(answered, PAGE.read_text("utf-8"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
