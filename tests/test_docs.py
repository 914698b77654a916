"""What is written about the program is true of it."""

import importlib.util
import re
import shlex
from pathlib import Path

import duckdb
import pytest

from pipeline.cli import main, newsdedup

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def program_of_page(name):
    path = ROOT / "docs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_data_formats_is_current():
    module = program_of_page("make_data_formats")
    assert module.page() == module.PAGE.read_text("utf-8")


def documented_commands():
    """Give every command line of newsdedup that a page shows."""
    found = []
    for page in PAGES:
        for line in re.findall(
            r"^\$ (newsdedup .*)$", page.read_text("utf-8"), re.MULTILINE
        ):
            found.append(pytest.param(line, id=f"{page.name}: {line}"))
    return found


@pytest.mark.parametrize("line", documented_commands())
def test_a_documented_command_exists_with_its_flags(line):
    words = shlex.split(line)
    command = newsdedup.commands[words[1]]
    flags = {name for parameter in command.params for name in parameter.opts}
    flags |= {name for parameter in command.params for name in parameter.secondary_opts}
    used = {word.split("=")[0] for word in words[2:] if word.startswith("--")}
    assert used <= flags


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
