"""Rows as text: for a person, a spreadsheet, a program."""

import csv
import datetime
import io
import json
from decimal import Decimal

import pytest

from pipeline.row_formats import (
    MOST_TABLE_ROWS,
    plain,
    print_table,
    write_csv,
    write_json_lines,
)

NAMES = ("text", "other")


def csv_of(*rows):
    stream = io.StringIO(newline="")
    write_csv(NAMES, rows, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")']
)
def test_no_text_is_a_formula_of_a_spreadsheet(text):
    ((cell, other),) = list(csv.reader(io.StringIO(csv_of((text, 1)), newline="")))[1:]
    assert cell == f"'{text}"
    assert other == "1"


def test_numbers_below_zero_stay_numbers():
    assert csv_of((-1, -0.5)).splitlines()[1] == "-1,-0.5"


def test_line_ends_quotes_and_all_scripts_come_back():
    text = 'One,\n"two"\r\n三\r日本'
    rows = list(csv.reader(io.StringIO(csv_of((text, None)), newline="")))
    assert rows == [list(NAMES), [text, ""]]


def test_a_list_is_json_in_a_cell():
    rows = list(csv.reader(io.StringIO(csv_of((["a", "b"], True)), newline="")))
    assert [json.loads(cell) for cell in rows[1]] == [["a", "b"], True]


def test_json_lines_are_json_whatever_the_value():
    time = datetime.datetime(2026, 5, 12, 13, 5, tzinfo=datetime.UTC)
    row = (
        {"nan": float("nan"), "time": time, "parts": [b"\xff", Decimal("0.5")]},
        10**30,
    )
    stream = io.StringIO()
    write_json_lines(NAMES, [row], stream)
    assert json.loads(stream.getvalue()) == {
        "text": {"nan": None, "time": "2026-05-12T13:05:00+00:00", "parts": ["/w==", 0.5]},
        "other": 10**30,
    }
    assert plain(Decimal("3.00")) == 3


def printed(capsys, rows, names=NAMES, types=("VARCHAR", "BIGINT")):
    print_table(names, types, iter(rows))
    return capsys.readouterr().out


def test_what_does_not_fit_is_a_block_a_row(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = printed(capsys, [("a" * 60, 1)])
    assert "a" * 60 in text
    assert "other  1" in text
    assert "other\n" in printed(capsys, [("a", 1)]).replace(" \n", "\n")


def test_a_table_ends_and_says_so(capsys):
    text = printed(capsys, (("a", number) for number in range(MOST_TABLE_ROWS + 1)))
    assert f"the first {MOST_TABLE_ROWS:,} rows" in text
    assert "the first" not in printed(capsys, [("a", 1)] * MOST_TABLE_ROWS)


def test_texts_cannot_speak_to_the_terminal(capsys):
    text = printed(capsys, [("\033[31mred\a [bold]x[/bold]", None)])
    assert "\\x1b[31mred\\x07 [bold]x[/bold]" in text
    assert "—" in text
