"""Find in Terraform files what is used and not declared, or declared and not used.

    python deploy/check_terraform.py [FOLDER]

Needs no cloud and no terraform, which finds more: `terraform validate` knows what a
provider's resources are made of, this does not.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

FOLDER = Path(__file__).parent / "terraform"

_USED = re.compile(r"(?<![\w.])(?:(var|local)|(data\.)?([a-z]+_\w+))\.(\w+)(\[)?")


def code_of(text: str) -> str:
    """Give the expressions of a string, without the text in and between them.

    >>> code_of('"a local.x ${var.y}-${f("var.z ${local.w}")}"')
    ' var.y f( local.w) '
    """
    found = []
    # Of each open brace of an interpolation, the braces that are open within it; None
    # for a text.
    open_: list[int | None] = [None]
    place = 0
    while place < len(text):
        character, depth = text[place], open_[-1]
        if depth is None:
            if text.startswith("${", place) and not text.startswith("$${", place - 1):
                open_.append(0)
                found.append(" ")
                place += 1
            elif character == "\\":
                place += 1
            elif character == '"' and len(open_) > 1:
                open_.pop()
        elif character == '"':
            open_.append(None)
        elif character == "}" and depth == 0:
            open_.pop()
        else:
            open_[-1] = depth + (character == "{") - (character == "}")
            found.append(character)
        place += 1
    return "".join(found) + " "


def strings_of(tree: Any, *, ordered: bool = False) -> Iterator[tuple[str, bool]]:
    """Give every string of a parsed file, and whether it only says what comes first."""
    if isinstance(tree, str):
        yield tree, ordered
    elif isinstance(tree, dict):
        for name, value in tree.items():
            if name != "__comments__":
                yield name, ordered
                yield from strings_of(value, ordered=ordered or name == "depends_on")
    elif isinstance(tree, list):
        for value in tree:
            yield from strings_of(value, ordered=ordered)


def _blocks(trees: list[dict[str, Any]], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the blocks of a kind with their full name: google_x.y, or of a variable: x."""
    for tree in trees:
        for block in tree.get(kind, []):
            for label, inner in block.items():
                if label.startswith("__"):
                    continue
                name = label.strip('"')
                if kind in ("resource", "data"):
                    for second, body in inner.items():
                        yield f"{name}.{second.strip(chr(34))}", body
                else:
                    yield name, inner


def parsed(folder: Path) -> list[dict[str, Any]]:
    """Parse the Terraform files of a folder.

    Raises:
      lark.exceptions.LarkError: if one is not HCL.
    """
    return [hcl2.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.tf"))]


def faults(trees: list[dict[str, Any]]) -> list[str]:
    """Say what is wrong with parsed files that belong together; nothing if all is well."""
    declared: dict[str, Any] = {}
    found = []
    names: Counter[str] = Counter()
    for kind, start in (("variable", "var."), ("resource", ""), ("data", "data.")):
        for name, body in _blocks(trees, kind):
            declared[start + name] = body
            names[start + name] += 1
    for tree in trees:
        for block in tree.get("locals", []):
            for name in block:
                if not name.startswith("__"):
                    declared[f"local.{name}"] = {}
                    names[f"local.{name}"] += 1
    found += [f"{name} is declared twice" for name, count in names.items() if count > 1]
    used = set()
    for tree in trees:
        for kind, blocks in tree.items():
            for text, ordered in strings_of(blocks):
                for start, data, resource, name, index in _USED.findall(code_of(text)):
                    full = f"{data}{start or resource}.{name}"
                    # A variable that only its own validation looks at is not used.
                    if kind != "variable":
                        used.add(full)
                    if full not in declared:
                        found.append(f"{full} is used and not declared")
                    elif not index and not ordered:
                        several = {"count", "for_each"} & set(declared[full])
                        if several and resource:
                            found.append(f"{full} has {several.pop()} and needs an index")
    found += [
        f"{name} is declared and not used"
        for name in declared
        if name.startswith(("var.", "local.", "data.")) and name not in used
    ]
    for kind, needs in (
        ("variable", ("type", "description")),
        ("output", ("description",)),
    ):
        for name, body in _blocks(trees, kind):
            found += [f"{kind} {name} has no {need}" for need in needs if need not in body]
    return sorted(set(found))


if __name__ == "__main__":
    told = faults(parsed(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
    print("\n".join(told) or "nothing found")
    sys.exit(1 if told else 0)
