"""Further fields: what else of a row is kept for those who ask for it, as a JSON object.

Nothing is decided by it, so nothing is checked: an author, a section, a list of tags go
through all stages as one text, and stand in `articles/` as they came.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping

import orjson
import pyarrow as pa

# Our name of the field, and what stands for all fields of the input.
EXTRA, ALL_OTHERS = "extra", "*"
_TIME_KINDS = (pa.types.is_timestamp, pa.types.is_date, pa.types.is_time)


def further_fields(
    values: Mapping[str, object], fields: Mapping[str, str], known: Iterable[str]
) -> str | None:
    """Give the further fields of a row that are to be kept.

    Args:
      values: of the row, by the input's names.
      fields: our name of a field -> its name in the input; for EXTRA several names with
        commas between them, ALL_OTHERS for all that have no other use.
      known: our names of the fields that have one.

    Returns:
      A JSON object of those that are not null, None without any. The fields of a field
      EXTRA, which a stream and the tables have, are taken as they are.

    Raises:
      TypeError: if a value is nested too deeply.
    """
    names: Iterable[str] = fields.get(EXTRA, EXTRA).split(",")
    if ALL_OTHERS in names:
        ours = {fields.get(name, name) for name in known}
        names = [name for name in values if name not in ours]
    found: dict[str, object] = {}
    for name in names:
        value = values.get(name)
        if name == EXTRA and isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = orjson.loads(value)
        if name == EXTRA and isinstance(value, dict):
            found |= value
        elif value is not None:
            found[name] = value
    if not found:
        return None
    try:
        return orjson.dumps(found, _as_json, orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # A number too large for it, text that is none, or two hundred levels.
        return _slowly_written(found)


def _slowly_written(found: Mapping[str, object]) -> str:
    try:
        written = json.dumps(found, default=_as_json, ensure_ascii=False)
        finite = json.loads(written, parse_constant=lambda _: None)
        written = json.dumps(finite, ensure_ascii=False)
    except RecursionError:
        raise TypeError(f"{EXTRA} must not be nested so deeply") from None
    return written.encode(errors="ignore").decode()


def _as_json(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def further_values(name: str, column: pa.Array) -> list[object]:
    """Give a column as what JSON has, or can be written as.

    Raises:
      pa.ArrowInvalid: if a value cannot be read.
    """
    if pa.types.is_timestamp(column.type) and column.type.tz:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    if any(is_kind(column.type) for is_kind in _TIME_KINDS):
        return column.cast(pa.string()).to_pylist()
    try:
        return column.to_pylist()
    except (ValueError, OverflowError) as error:
        raise pa.ArrowInvalid(f"column {name}: {error}") from error
