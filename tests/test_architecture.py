"""The house stands: imports point down, and the documentation lists every room."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "schemas": {"schemas"},
    "transforms": {"schemas", "transforms"},
    "pipeline": {"schemas", "transforms", "pipeline"},
}
FILES = [path for folder in ALLOWED for path in sorted((ROOT / folder).glob("*.py"))]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def documented_stages() -> list[str]:
    text = (ROOT / "docs" / "how-it-works.md").read_text("utf-8")
    return re.findall(r"^\| `(\w+)\.py` \|", text, re.MULTILINE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imports_point_down(path):
    tops = {name.split(".")[0] for name in imported(path)}
    assert tops & ALLOWED.keys() <= ALLOWED[path.parent.name]


def test_every_stage_is_documented_once():
    stages = [path.stem for path in FILES if path.parent.name == "transforms"]
    assert sorted(documented_stages()) == sorted(set(stages) - {"__init__"})


def test_a_stage_imports_only_earlier_stages():
    order = documented_stages()
    later = [
        (stage, name)
        for place, stage in enumerate(order)
        for name in imported(ROOT / "transforms" / f"{stage}.py")
        if name.startswith("transforms.") and name.split(".")[1] in order[place:]
    ]
    assert later == []


def test_one_file_alone_knows_where_files_are():
    """What is right on a disk is wrong in a bucket: what differs is dealt with once."""
    knowing = {
        "apache_beam.io.filesystems": "storage.py",
        "google.cloud.storage": "buckets.py",
    }
    for name, knows in knowing.items():
        assert [path.name for path in FILES if name in imported(path)] == [knows]


def test_beam_sees_the_type_hints_of_every_transform():
    """Beam does not see through postponed annotations: types would become Any."""
    assert not [path for path in FILES if "__future__" in imported(path)]
