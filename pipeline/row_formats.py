"""Rows as text: a table for a person, CSV for a spreadsheet, JSON lines for a program."""

import base64
import csv
import datetime
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from pipeline.show import terminal
from pipeline.terminal import visible

# A table is printed when all of it is known: columns are as wide as their cells.
MOST_TABLE_ROWS = 1_000
# A text of more characters is cut in a table; in a column it is one line.
MOST_CELL_CHARACTERS = 200
# Spreadsheets take a cell that begins so for a formula, and run it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_NUMBERS = ("INT", "DECIMAL", "FLOAT", "DOUBLE")


def plain(value: Any) -> Any:
    """Give a value as JSON has it: what is neither text, number, list nor object as text.

    >>> plain([datetime.date(2026, 5, 12), float("nan"), Decimal("0.5")])
    ['2026-05-12', None, 0.5]
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {str(plain(name)): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def json_line(value: Any) -> str:
    """Give a value as JSON on one line, in the characters that it has."""
    return json.dumps(plain(value), ensure_ascii=False)


def write_json_lines(
    names: Sequence[str], rows: Iterable[Sequence[Any]], stream: TextIO
) -> None:
    """Write each row as an object on a line."""
    for row in rows:
        stream.write(json_line(dict(zip(names, row, strict=True))) + "\n")


def write_csv(names: Sequence[str], rows: Iterable[Sequence[Any]], stream: TextIO) -> None:
    """Write rows as CSV with a header, as RFC 4180 has it.

    Line ends inside a text stay, in quotes. A text that a spreadsheet would take for a
    formula gets an apostrophe before it; numbers stay numbers. A list or an object is its
    JSON, what is null an empty cell.
    """
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([_harmless(name) for name in names])
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])


def _csv_cell(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, list | dict):
        value = json_line(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _harmless(value) if isinstance(value, str) else value


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def print_table(
    names: Sequence[str], types: Sequence[str], rows: Iterator[Sequence[Any]]
) -> None:
    """Print rows as a table or, where it would not fit, as a block each.

    Args:
      names: of the columns.
      types: of the columns: names of numbers are those of DuckDB.
      rows: of which so many are printed as a terminal can bear, and it is said if there
        are more.
    """
    console = terminal()
    if not names:
        return
    cells = [[_cell(value) for value in row] for row in islice(rows, MOST_TABLE_ROWS)]
    columns = list(zip(names, *cells, strict=True))
    widths = [max(cell_len(cell) for cell in column) for column in columns]
    if sum(widths) + 3 * len(widths) - 1 <= console.width:
        table = Table(box=box.SIMPLE, pad_edge=False)
        for name, kind in zip(names, types, strict=True):
            is_number = any(number in kind for number in _NUMBERS) and "[" not in kind
            table.add_column(
                Text(visible(name)), justify="right" if is_number else "left", no_wrap=True
            )
        for row in cells:
            table.add_row(*map(Text, row))
        console.print(table)
    else:
        width = max(map(cell_len, names))
        for row in cells:
            console.print()
            for name, cell in zip(names, row, strict=True):
                console.print(Text(f"{visible(name):>{width}}  {cell}"), soft_wrap=True)
        console.print()
    if next(rows, None) is not None:
        console.print(
            f"the first {MOST_TABLE_ROWS:,} rows; --format csv or jsonl gives all"
        )


def _cell(value: Any) -> str:
    """Give a value as one short line."""
    if value is None:
        return "—"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        value = ", ".join(value)
    value = plain(value)
    text = " ".join((value if isinstance(value, str) else json_line(value)).split())
    if len(text) > MOST_CELL_CHARACTERS:
        text = text[:MOST_CELL_CHARACTERS].rstrip() + "…"
    return visible(text)
