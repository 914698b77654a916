"""What is written about the program is true of it."""

import contextlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import duckdb
import lxml.html
import pytest

from pipeline.cli import main, newsdedup

ROOT = Path(__file__).parent.parent
OTHER_PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md")
PAGES = [
    *(ROOT / name for name in OTHER_PAGES if (ROOT / name).exists()),
    *sorted((ROOT / "docs").glob("*.md")),
]


def program_of_page(name):
    path = ROOT / "docs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_data_formats_is_current():
    module = program_of_page("make_data_formats")
    assert module.page() == module.PAGE.read_text("utf-8")


def console_commands(text):
    """Give the commands that the terminal sessions of a page show, each whole."""
    found = []
    for block in re.findall(r"^ *```console\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        lines = iter(textwrap.dedent(block).splitlines())
        for line in lines:
            if not line.startswith("$ "):
                continue
            command = line[2:]
            while is_open(command):
                command += "\n" + next(lines)
            found.append(command)
    return found


def is_open(command):
    """Tell whether a shell would wait for another line."""
    try:
        shlex.split(command)
    except ValueError:
        return True
    return command.endswith("\\")


def documented_commands():
    return [
        pytest.param(command, id=f"{page.name}: {command.splitlines()[0]}")
        for page in PAGES
        for command in console_commands(page.read_text("utf-8"))
    ]


@pytest.mark.parametrize("command", documented_commands())
def test_a_documented_command_can_be_given_so(command, tmp_path, monkeypatch):
    """As far as can be told without doing it: commands, flags, their values, and files."""
    # What another program answers could be anything.
    command = re.sub(r"\$\([^)]*\)", "ANSWER", command)
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    # What comes through a pipe or goes to a file is the shell's.
    ends = [words.index(mark) for mark in ("|", ">", "<", "&&", ";") if mark in words]
    words = words[: min(ends, default=len(words))]
    if words[0] == "newsdedup":
        name, *arguments = words[1:]
        # Some must be there: those of the reader are.
        monkeypatch.chdir(tmp_path)
        for word in arguments:
            if re.fullmatch(r"[\w-]+\.\w+", word):
                (tmp_path / word).touch()
        with contextlib.suppress(click.exceptions.Exit):  # --help ends so.
            newsdedup.commands[name].make_context(name, arguments)
    elif words[0] == "make":
        targets = re.findall(
            r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
        )
        assert {word for word in words[1:] if "=" not in word} <= {*targets}
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2]) is not None
    elif words[0] == "python":
        assert (ROOT / words[1]).exists()


def test_the_commands_of_a_page_are_found():
    page = """
```console
$ newsdedup sql out "SELECT 1
FROM stories"
 1
$ newsdedup show out \\
    --limit 3
```
"""
    assert console_commands(page) == [
        'newsdedup sql out "SELECT 1\nFROM stories"',
        "newsdedup show out \\\n    --limit 3",
    ]


@pytest.mark.model
def test_the_session_and_the_query_in_the_readme_give_what_it_shows(
    tmp_path, monkeypatch, capsys
):
    """With the real model. Scores may differ between processors; counts of rows may not."""
    text = (ROOT / "README.md").read_text("utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    for line in re.findall(r"^\$ newsdedup (.*)$", text, re.MULTILINE):
        assert main(shlex.split(line)) == 0
    shown = capsys.readouterr().out
    for count in ("articles", "rejects", "copy groups"):
        (in_readme,) = re.findall(rf"^ {count} +(\d+)$", text, re.MULTILINE)
        assert re.search(rf"^ {count} +{in_readme} *$", shown, re.MULTILINE)
    assert "wire rewrite" in shown
    (query,) = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    titles = [row[0] for row in duckdb.sql(query).fetchall()]
    assert len(titles) == 5
    assert titles[0] in text


def test_every_command_is_documented():
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    assert [name for name in newsdedup.commands if f"newsdedup {name}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_answers_for_analysts_are_those_of_the_tables(
    examples_output, grown, tmp_path, monkeypatch
):
    for name, folder in (("out", examples_output), ("grown", grown[0])):
        (tmp_path / name).symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    module = program_of_page("make_analysts")

    def is_asked(kind, block):
        # Those who go on with pandas or Polars have them; the pipeline needs neither.
        package = re.search(r"^import (\w+) as", block, re.MULTILINE)
        return kind == "sql" or importlib.util.find_spec(package[1]) is not None

    text = module.PAGE.read_text("utf-8")
    assert text.count("```sql") >= 15
    assert module.page(is_asked) == text


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the pages as a site; a warning, as of a link that leads nowhere, fails."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    told = ["--config-file", str(ROOT / "docs" / "site" / "mkdocs.yml")]
    subprocess.run(
        [*command, *told, "--site-dir", str(folder)],
        check=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    return folder


def test_the_site_has_every_page_and_asks_nobody_for_anything(site):
    pages = {path.name: lxml.html.parse(path).getroot() for path in site.glob("*.html")}
    names = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"index", "deploy"}
    assert {f"{name}.html" for name in names} <= pages.keys()
    for name, page in pages.items():
        fetched = [
            *page.xpath("//script/@src | //img/@src | //iframe/@src | //object/@data"),
            *page.xpath("//link[not(@rel='canonical')]/@href"),
        ]
        for address in fetched:
            assert "//" not in address, (name, address)
            # The page for what is not found is written for the root of a server.
            if name != "404.html":
                assert (site / address.partition("?")[0]).exists(), (name, address)
        # The theme would fetch what draws these.
        assert not page.xpath("//*[contains(@class, 'mermaid')]"), name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(.?(https?:)?//|@import", sheet.read_text("utf-8")), (
            sheet
        )


def test_pictures_hold_no_program_and_look_right_in_the_dark():
    pictures = list((ROOT / "docs" / "pictures").glob("*.svg"))
    assert pictures
    for picture in pictures:
        root = lxml.etree.parse(picture).getroot()
        assert root.find("{*}title").text
        text = picture.read_text("utf-8")
        assert "prefers-color-scheme: dark" in text
        assert "<script" not in text
        assert "href" not in text
