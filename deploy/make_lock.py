"""Write requirements.lock: what the image installs, each file by its hash.

    python deploy/make_lock.py

Run it on Linux x86-64 with Python 3.11, as in the image, in an environment that has the
package installed (`make test` makes one). What the package needs to run, and not what it
is developed with, is taken from `requirements.txt`, and pip is asked which file it would
install of each. Torch is the build for processors alone, from PyTorch's own index: the one
of PyPI brings gigabytes of CUDA along.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "deploy" / "requirements.lock"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


def needed(requirements: Iterable[str]) -> set[str]:
    """Give the names of packages that some need, and of those that these need.

    Raises:
      PackageNotFoundError: if one of them is not installed.
    """
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        for text in importlib.metadata.requires(name) or []:
            further = Requirement(text)
            marker = further.marker
            if marker is None or any(
                marker.evaluate({"extra": extra}) for extra in {"", *extras}
            ):
                waiting.append(further)
    return found


def pinned() -> dict[str, str]:
    """Give the version of every package of requirements.txt that the image needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    # With setuptools our own package is built, and one that comes as source alone.
    names = needed([*project["dependencies"], "setuptools"])
    lines = (ROOT / "requirements.txt").read_text("utf-8").split()
    versions = dict(line.split("==") for line in lines)
    found = {str(canonicalize_name(name)): version for name, version in versions.items()}
    if missing := sorted(names - found.keys()):
        raise ValueError(f"requirements.txt must pin what is needed, lacks {missing}")
    return {name: found[name] for name in sorted(names)}


def locked(report: Mapping[str, Any]) -> str:
    """Make the lock of what pip reports that it would install.

    Raises:
      ValueError: if it would install something without a hash.
    """
    lines = []
    for item in report["install"]:
        name = canonicalize_name(item["metadata"]["name"])
        digest = item["download_info"].get("archive_info", {}).get("hashes", {})
        if "sha256" not in digest:
            raise ValueError(f"pip must tell the sha256 of {name}, got {digest}")
        version = item["metadata"]["version"]
        lines.append(f"{name}=={version} --hash=sha256:{digest['sha256']}\n")
    return "".join(sorted(lines))


def main() -> None:
    """Ask pip and write the lock."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    asked = pinned()
    asked["torch"] += "+cpu"
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder, "wanted.txt"), Path(folder, "report.json")
        wanted.write_text("".join(f"{name}=={asked[name]}\n" for name in asked))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        how = ["--no-deps", "--ignore-installed", "--extra-index-url", TORCH_INDEX]
        what = ["--report", str(report), "--requirement", str(wanted)]
        subprocess.run([*pip, *how, *what], check=True)
        LOCK.write_text(locked(json.loads(report.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
