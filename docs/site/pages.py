"""Which pages the site has, in which order, and where their links lead.

The pages are written to be read where they lie in the repository, so a link names a file.
Here a link to a page of the site leads there, and one to another file becomes its name.
A new page of docs/ is on the site by itself, behind those that have a place in `ORDER`.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
# Pages that lie outside of docs/: where, and what they are called on the site.
OUTSIDE = {
    "README.md": "index.md",
    "examples/README.md": "examples.md",
    "deploy/README.md": "deploy.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
# Those that are not there are passed over.
ORDER = (
    "README.md",
    "docs/how-it-works.md",
    "docs/analysts.md",
    "docs/report.md",
    "docs/data-formats.md",
    "docs/operations.md",
    "deploy/README.md",
    "SECURITY.md",
    "docs/evaluate.md",
    "docs/quality.md",
    "docs/performance.md",
    "examples/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def pages() -> dict[str, str]:
    """Give the pages: where each lies in the repository -> its name on the site."""
    inside = {f"docs/{path.name}": path.name for path in (ROOT / "docs").glob("*.md")}
    outside = {file: name for file, name in OUTSIDE.items() if (ROOT / file).exists()}
    found = inside | outside
    order = [file for file in ORDER if file in found]
    return {file: found[file] for file in (*order, *sorted(found.keys() - {*order}))}


def linked(text: str, file: str) -> str:
    """Turn the links of a page into those of the site.

    Args:
      text: of the page.
      file: where it lies in the repository.
    """
    names = pages()

    def link(found: re.Match[str]) -> str:
        mark, label, target, place = found.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
        if (ROOT / path / "README.md").exists():
            path = f"{path}/README.md"
        if path in names:
            return f"{mark}[{label}]({names[path]}{place or ''})"
        if path.startswith("docs/pictures/"):
            return f"{mark}[{label}]({path.removeprefix('docs/')})"
        if not (ROOT / path).exists():
            # Left as it is, it is reported.
            return found[0]
        return f"{label} (`{path}`)"

    # Programs and what they print hold no links.
    parts = re.split(r"(^```.*?^```)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        part if part.startswith("```") else _LINK.sub(link, part) for part in parts
    )


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages in their order."""
    config.nav = list(pages().values())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in the pages that lie outside of docs/."""
    for file, name in pages().items():
        if file in OUTSIDE:
            text = (ROOT / file).read_text("utf-8")
            files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page into those of the site."""
    (file,) = [file for file, name in pages().items() if name == page.file.src_uri]
    return linked(markdown, file)
