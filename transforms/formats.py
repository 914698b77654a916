"""Formats: JSON lines, JSON, Parquet and files of one article become rows of texts.

Each format is one generator of rows and rejects, in the order of the file. What is wrong
with a row costs that row alone. A longer line than `max_row_bytes` is skipped without
being held, a longer file of one article is not read to its end.
"""

import codecs
import itertools
import json
import math
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple, cast

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.decoding import (
    FREE_BYTES,
    MOST_EXPANSION,
    at_most,
    declared_text,
    decoded,
    lines,
    looks_binary,
    opened,
)
from transforms.further_fields import ALL_OTHERS, EXTRA, further_fields, further_values

FIELDS = ("id", "url", "source", "published_at", "title", "text", "html", "language")
# Of these a row must have one.
CONTENT = ("title", "text", "html")
# An object that has one of these is an article, whatever arrays it holds.
ARTICLE_FIELDS = ("id", "url", "text", "html")
# What names an article, and does so in every row that tells of it: none is so long.
NAME_CHARACTERS = {
    "id": 2_048,
    "url": 8_192,
    "source": 512,
    "published_at": 512,
    "language": 512,
}
# Lines of a text; every one can become a row that names article and source.
MAX_LINES = 200_000
# A JSON array must be held to be parsed; above this, write JSON lines.
MAX_ARRAY_BYTES = 256 << 20
# Values in it, by the marks that part them. Each takes a hundred bytes when it is parsed.
MAX_ARRAY_VALUES = 16_000_000
_VALUE_MARKS = (b",", b"[", b"{")
# A line that ends so is the beginning of a value of several lines.
OPEN_ENDS = (b"[", b"{", b",", b":")
NAMES_CHARACTERS = 60
# Where all names together are so short, each is.
_SHORT_NAMES = min(NAME_CHARACTERS.values())
_TEXT_OR_NONE = frozenset({str, type(None)})


class Row(NamedTuple):
    """A row as found: its place in the file, its values by the input's names."""

    position: int
    values: Mapping[str, object]
    repaired: bool


class Reject(NamedTuple):
    """A row that cannot be used: its place, a reason of REJECT_REASONS, particulars."""

    position: int
    reason: str
    detail: str
    article_id: str | None = None


def json_value(data: bytes) -> tuple[object, bool]:
    """Parse one JSON value; give it and whether its encoding had to be mended.

    Beyond the standard: NaN and Infinity, which Python writes, and numbers too large to
    be one are null; half of a surrogate pair, which JavaScript leaves when it cuts a
    text, is dropped. Of a key that stands twice the last counts.

    Raises:
      UnicodeError: if the bytes are no text.
      ValueError: if the text is no JSON.
    """
    try:
        return orjson.loads(data), False
    except orjson.JSONDecodeError as error:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            guess = decoded(data)
            if guess is None:
                raise UnicodeError("neither UTF-8 nor another encoding of text") from None
            return json_value(guess.encode())[0], True
        try:
            value = json.loads(text, parse_constant=_null, parse_float=_finite)
            written = json.dumps(value, ensure_ascii=False)
        except (ValueError, RecursionError):
            place = f"character {error.pos + 1:,} of {len(text):,}"
            raise ValueError(f"{error.msg} at {place}") from None
        whole = written.encode(errors="ignore").decode()
        return orjson.loads(whole), whole != written


def _null(_: str) -> None:
    return None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _parsed(position: int, data: bytes) -> tuple[object, bool] | Reject:
    try:
        return json_value(data)
    except UnicodeError as error:
        return Reject(position, "undecodable", str(error))
    except ValueError as error:
        return Reject(position, "broken_json", str(error))


def _object_row(position: int, value: object, repaired: bool) -> Row | Reject:
    if isinstance(value, dict):
        return Row(position, value, repaired)
    return Reject(position, "wrong_type", f"a row must be an object, got {_kind(value)}")


def json_row(position: int, data: bytes, repaired: bool) -> Row | Reject:
    """Give the row that one JSON object is."""
    parsed = _parsed(position, data)
    if isinstance(parsed, Reject):
        return parsed
    return _object_row(position, parsed[0], parsed[1] or repaired)


def json_line_rows(
    chunks: Iterable[bytes], repaired: bool, max_row_bytes: int
) -> Iterator[Row | Reject]:
    """Give the rows of JSON lines in UTF-8; blank lines are none."""
    for number, line, size in lines(chunks, max_row_bytes):
        if size > max_row_bytes:
            yield too_long(number, f"a line, got {size:,} bytes", max_row_bytes)
        elif line and not line.isspace():
            yield json_row(number, line, repaired)


def json_rows(
    chunks: Iterator[bytes], fields: Mapping[str, str], repaired: bool, max_row_bytes: int
) -> Iterator[Row | Reject]:
    """Give the rows of a .json file: an array of objects, one object, or JSON lines.

    An object that is no article itself and holds one array of objects, as an answer of a
    web service does ({"status": "ok", "articles": [...]}), stands for that array.
    """
    head, several = _first_line(chunks)
    chunks = itertools.chain([head], chunks)
    first = head.lstrip().partition(b"\n")[0].rstrip()
    if several and not first.startswith(b"[") and not first.endswith(OPEN_ENDS):
        yield from json_line_rows(chunks, repaired, max_row_bytes)
        return
    whole = at_most(chunks, MAX_ARRAY_BYTES)
    if whole is None:
        yield too_long(1, "a file that is no JSON lines", MAX_ARRAY_BYTES)
        return
    if not whole or whole.isspace():
        return
    values = sum(map(whole.count, _VALUE_MARKS))
    if values > MAX_ARRAY_VALUES:
        detail = (
            f"a JSON file, got {values:,} values, must have at most {MAX_ARRAY_VALUES:,}"
        )
        yield Reject(1, "too_long", detail)
        return
    parsed = _parsed(1, whole)
    if isinstance(parsed, Reject):
        yield parsed
        return
    value, mended = parsed
    for position, item in enumerate(_items(value, fields), 1):
        yield _object_row(position, item, mended or repaired)


def _first_line(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    """Read until there is more than a line; give what was read and whether there is."""
    head = bytearray()
    for chunk in chunks:
        # Blank lines before the first tell nothing, and would be looked at again and again.
        head += chunk if head else chunk.lstrip()
        # To look at all of it with every chunk would take minutes for one long line.
        if b"\n" in chunk and head.strip().count(b"\n"):
            return bytes(head), True
        if len(head) > MAX_ARRAY_BYTES:
            break
    return bytes(head), b"\n" in head.strip()


def _items(value: object, fields: Mapping[str, str]) -> list[object]:
    """Give the rows that a JSON file of one value holds."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and not any(
        fields.get(name, name) in value for name in ARTICLE_FIELDS
    ):
        arrays = [
            found
            for found in value.values()
            if isinstance(found, list)
            and (found or len(value) == 1)
            and all(isinstance(item, dict) for item in found)
        ]
        if len(arrays) == 1:
            return arrays[0]
    return [value]


def too_long(position: int, what: str, max_bytes: int) -> Reject:
    """Give the reject of a row that is longer than it may be."""
    return Reject(position, "too_long", f"{what}, must have at most {max_bytes:,} bytes")


def whole_file_row(chunks: Iterable[bytes], field: str, max_row_bytes: int) -> Row | Reject:
    """Give a file of one article as a row whose `field` ("text", "html") is the file."""
    data = at_most(chunks, max_row_bytes)
    if data is None:
        return too_long(1, "a file of one article", max_row_bytes)
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
        if not looks_binary(text):
            return Row(1, {field: text}, False)
    except UnicodeDecodeError:
        pass
    declared = declared_text(data) if field == "html" else None
    guess = decoded(data) if declared is None else declared
    if guess is None:
        return Reject(1, "undecodable", "neither UTF-8 nor another encoding of text")
    return Row(1, {field: guess}, True)


def parquet_rows(
    path: str, fields: Mapping[str, str], batch_size: int
) -> Iterator[Row | Reject]:
    """Give the rows of a Parquet file, one batch of its row groups held at a time."""
    wanted = {fields.get(name, name): name for name in FIELDS}
    kept = fields.get(EXTRA, EXTRA).split(",")
    with opened(path, None) as stream:
        metadata = pq.read_metadata(stream)
        # Texts come as the dictionaries that they were stored as: a value that stands in
        # every row, of a file of a few kilobytes, would otherwise be written out for each.
        texts = [
            field.name
            for field in metadata.schema.to_arrow_schema()
            if field.name in wanted and any(is_kind(field.type) for is_kind in TEXT_KINDS)
        ]
        file = pq.ParquetFile(
            stream, metadata=metadata, buffer_size=1 << 20, read_dictionary=texts
        )
        names = [name for name in file.schema_arrow.names if name in wanted]
        names += [
            name
            for name in file.schema_arrow.names
            if name not in wanted and (name in kept or ALL_OTHERS in kept)
        ]
        if detail := _expansion(metadata, names):
            yield Reject(1, "too_long", detail)
            return
        if twice := [name for name in set(names) if names.count(name) > 1]:
            detail = f"a column must stand once, got {min(twice)} several times"
            yield Reject(1, "unreadable_file", detail)
            return
        # Without their values: what a reject names.
        others = dict.fromkeys(
            name for name in file.schema_arrow.names if name not in names
        )
        position = 0
        for batch in file.iter_batches(batch_size, columns=names, use_threads=False):
            values = [
                _column_values(batch.column(name), wanted[name] == "published_at")
                if name in wanted
                else further_values(name, batch.column(name))
                for name in names
            ]
            for row in range(batch.num_rows):
                position += 1
                found = {name: of[row] for name, of in zip(names, values, strict=True)}
                yield Row(position, {**others, **found}, False)


TEXT_KINDS = (
    pa.types.is_string,
    pa.types.is_binary,
    pa.types.is_large_string,
    pa.types.is_large_binary,
)


def _expansion(metadata: pq.FileMetaData, wanted: Container[str]) -> str | None:
    """Say what of a Parquet file becomes too large when it is decompressed."""
    for group in range(metadata.num_row_groups):
        for number in range(metadata.num_columns):
            column = metadata.row_group(group).column(number)
            packed, size = column.total_compressed_size, column.total_uncompressed_size
            path = column.path_in_schema
            is_wanted = path in wanted or path.partition(".")[0] in wanted
            if is_wanted and size > max(FREE_BYTES, MOST_EXPANSION * packed):
                return (
                    f"a column of a Parquet file, got {size:,} bytes out of {packed:,}, "
                    f"must become at most {FREE_BYTES:,} or {MOST_EXPANSION} times as many"
                )
    return None


def _column_values(column: pa.Array, is_time: bool) -> list[object]:
    """Give a column as text, bytes, numbers; a value of another type as that type."""
    if pa.types.is_dictionary(column.type):
        # Each value once, however often it stands there.
        places = column.indices.to_pylist()
        used = sorted({place for place in places if place is not None})
        values = _column_values(column.dictionary.take(pa.array(used, pa.int64())), is_time)
        by_place = {None: None, **dict(zip(used, values, strict=True))}
        return [by_place[place] for place in places]
    kind = column.type
    if is_time and pa.types.is_timestamp(kind) and kind.tz:
        # UTC is how it is stored; other zones would need a zone database.
        return column.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.string()).to_pylist()
    if is_time and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return column.cast(pa.string()).to_pylist()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        # Nothing checks on writing that a string column holds UTF-8; this cast does.
        data = column.cast(pa.large_binary())
        try:
            return data.cast(pa.large_string()).to_pylist()
        except pa.ArrowInvalid:
            return data.to_pylist()
    if any(is_kind(kind) for is_kind in PLAIN_KINDS):
        return column.to_pylist()
    # As data warehouses write their ids.
    if pa.types.is_decimal(kind) and not kind.scale:
        return [value if value is None else int(value) for value in column.to_pylist()]
    if isinstance(kind, pa.UuidType):
        return [value if value is None else str(value) for value in column.to_pylist()]
    return [kind if value else None for value in column.is_valid().to_pylist()]


PLAIN_KINDS = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_null,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_string_view,
)


def raw_values(
    row: Row, fields: Mapping[str, str], max_row_bytes: int
) -> tuple[dict[str, str | None], bool] | Reject:
    """Check a row's values; give those of FIELDS and EXTRA, and whether any was mended.

    An id may be a whole number and a time any number: they become their decimals. A
    source may be an object with a `name`.
    """
    value_of = row.values.get
    found = {name: value_of(fields.get(name, name)) for name in FIELDS}
    if _TEXT_OR_NONE.issuperset(map(type, found.values())):
        plain = cast(dict[str, str | None], found)
        has_content = plain["text"] or plain["title"] or plain["html"]
        # Where all together are not too long, none is.
        if has_content and characters(plain) <= min(max_row_bytes, MAX_LINES):
            names = sum(len(plain[name] or "") for name in NAME_CHARACTERS)
            extra = _extra(row, fields, max_row_bytes)
            if names <= _SHORT_NAMES and not isinstance(extra, Reject):
                return {**plain, EXTRA: extra}, row.repaired
    texts: dict[str, str | None] = {}
    repaired = row.repaired
    # The id comes first, so that the reject of a later field knows it.
    for name in FIELDS:
        try:
            text, mended = _text(name, found[name])
        except TypeError as error:
            return Reject(row.position, "wrong_type", str(error), texts.get("id"))
        except UnicodeError as error:
            return Reject(row.position, "undecodable", str(error), texts.get("id"))
        if text and (detail := _excess(name, text, max_row_bytes)):
            return Reject(row.position, "too_long", detail, texts.get("id"))
        texts[name] = text
        repaired = repaired or mended
    if all(texts[name] is None for name in CONTENT):
        ours = {fields.get(name, name) for name in FIELDS}
        if others := ", ".join(str(name) for name in row.values if name not in ours):
            if len(others) > NAMES_CHARACTERS:
                others = others[:NAMES_CHARACTERS] + "…"
            detail = f"neither text nor title; --field maps other names, got {others}"
            return Reject(row.position, "no_text", detail, texts["id"])
    extra = _extra(row, fields, max_row_bytes)
    if isinstance(extra, Reject):
        return extra._replace(article_id=texts["id"])
    return texts | {EXTRA: extra}, repaired


def _extra(row: Row, fields: Mapping[str, str], max_row_bytes: int) -> str | Reject | None:
    try:
        extra = further_fields(row.values, fields, FIELDS)
    except TypeError as error:
        return Reject(row.position, "wrong_type", str(error))
    if extra and len(extra) > max_row_bytes:
        return too_long(row.position, f"{EXTRA}, got {len(extra):,}", max_row_bytes)
    return extra


def _excess(name: str, text: str, max_row_bytes: int) -> str | None:
    """Say in what a value is too long."""
    most = NAME_CHARACTERS.get(name)
    if most is not None and len(text) > most:
        return f"{name}, got {len(text):,} characters, must have at most {most:,}"
    if len(text) > max_row_bytes:
        return too_long(1, f"{name}, got {len(text):,}", max_row_bytes).detail
    if name == "text" and len(text) > MAX_LINES:
        count = len(text.splitlines())
        if count > MAX_LINES:
            return f"a text, got {count:,} lines, must have at most {MAX_LINES:,}"
    return None


def characters(texts: Mapping[str, str | None]) -> int:
    """Count the characters of the texts of a row."""
    return sum(map(len, filter(None, texts.values())))


def _text(name: str, value: object) -> tuple[str | None, bool]:
    """Give a value as text, and whether its bytes were not UTF-8."""
    if name == "source" and isinstance(value, dict) and "name" in value:
        # As web services and schema.org write it.
        value = value["name"]
    if value is None or isinstance(value, str):
        return value, False
    if isinstance(value, bytes):
        try:
            return value.decode(), False
        except UnicodeDecodeError:
            guess = decoded(value)
            if guess is None:
                raise UnicodeError(f"{name} is no text in any encoding") from None
            return guess, True
    if isinstance(value, float) and math.isnan(value):
        return None, False
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name == "published_at":
            return str(value), False
        # A column of ids with gaps comes out of pandas as floats.
        whole = isinstance(value, int) or (abs(value) < 2**64 and value == int(value))
        if name == "id" and whole:
            return str(int(value)), False
    numbers = {"id": " or a whole number", "published_at": " or a number"}
    raise TypeError(f"{name} must be text{numbers.get(name, '')}, got {_kind(value)}")


def _kind(value: object) -> str:
    """Name what was found, in the words of the input and without quoting it."""
    if isinstance(value, dict):
        return "an object"
    names = {list: "a list", bool: "true or false", str: "text", type(None): "null"}
    return names.get(type(value), str(value)[:40])
