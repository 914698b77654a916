"""Rows of a schema of which only what a test is about is given."""

import pyarrow as pa


def nothing(kind):
    """Give a value that says nothing, where null may not be."""
    if pa.types.is_fixed_size_list(kind):
        return [0] * kind.list_size
    if pa.types.is_list(kind):
        return []
    return "" if pa.types.is_string(kind) else pa.scalar(0, pa.int64()).cast(kind).as_py()


def rows(schema, *values):
    """Make rows of a schema; what is not given is null, or nothing."""
    empty = {
        field.name: None if field.nullable else nothing(field.type) for field in schema
    }
    return pa.RecordBatch.from_pylist([{**empty, **row} for row in values], schema=schema)
