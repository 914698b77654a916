"""Write what follows from the program: template metadata, and tables for BigQuery.

    python deploy/make_files.py

`templates/*.json` are made of the options of `newsdedup run` and `newsdedup stream`.
`bigquery/*.parquet` hold no row: BigQuery learns of them what columns a table has before a
run has written one. They are made of `schemas/story.py`. Change those and run it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from launch import SEPARATOR, parameters_of  # noqa: E402

from pipeline.running_commands import run, stream  # noqa: E402
from schemas.story import ARTICLES, STORIES  # noqa: E402

TEMPLATES = {"batch": run, "stream": stream}
TABLES = {"articles": ARTICLES, "stories": STORIES}

_FOLDER = r"^gs://[a-z0-9][-_.a-z0-9]+(/[^*?\[\]]*)?$"
_FILES = r"gs://[a-z0-9][-_.a-z0-9]+/[^;]+"
# Of parameters that say more than the type of their option does: type, pattern.
_KINDS = {
    "input": ("TEXT", rf"^{_FILES}(; *{_FILES})*$"),
    "output": ("GCS_WRITE_FOLDER", _FOLDER),
    "keep_ids": ("GCS_READ_FOLDER", _FOLDER),
    "run_id": ("TEXT", r"^[A-Za-z0-9][-_.A-Za-z0-9]*$"),
    "field": ("TEXT", r"^[^=;]+=[^=;]+(; *[^=;]+=[^=;]+)*$"),
    "subscription": ("PUBSUB_SUBSCRIPTION", r"^projects/[^/]+/subscriptions/[^/]+$"),
    "dead_letter": ("PUBSUB_TOPIC", r"^projects/[^/]+/topics/[^/]+$"),
}
_NUMBERS = {"integer": r"^[0-9]+$", "float": r"^[0-9]*\.?[0-9]+$"}


def template(command: click.Command) -> dict[str, Any]:
    """Describe a command as a Flex Template, as TemplateMetadata of Dataflow's API."""
    summary = command.get_short_help_str(limit=200)
    return {
        "name": f"newsdedup {command.name}",
        "description": f"{summary} Parameters are options of newsdedup {command.name}.",
        "streaming": command is stream,
        **({"supportsExactlyOnce": True} if command is stream else {}),
        "parameters": [
            parameter(name, option) for name, option in parameters_of(command).items()
        ],
    }


def parameter(name: str, option: click.Option) -> dict[str, Any]:
    """Describe an option as a parameter: ParameterMetadata of Dataflow's API."""
    text = str(option.help)
    if option.multiple:
        text = text.removesuffix("; may be repeated")
        text += f"; several are separated by {SEPARATOR}"
    described: dict[str, Any] = {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "helpText": text,
        "isOptional": not option.required,
    }
    described |= _kind(name, option)
    default = option.to_info_dict()["default"]
    if isinstance(default, str | int | float):
        described["defaultValue"] = str(default).lower() if option.is_flag else str(default)
    return described


def _kind(name: str, option: click.Option) -> dict[str, Any]:
    if name in _KINDS:
        kind, pattern = _KINDS[name]
        return {"paramType": kind, "regexes": [pattern]}
    if option.is_flag:
        return {"paramType": "BOOLEAN", "regexes": ["^(true|false)$"]}
    if isinstance(option.type, click.Choice):
        choices = list(option.type.choices)
        return {
            "paramType": "ENUM",
            "enumOptions": [{"value": choice, "label": choice} for choice in choices],
            "regexes": [f"^({'|'.join(choices)})$"],
        }
    if number := _NUMBERS.get(option.type.name.removesuffix(" range")):
        return {"paramType": "NUMBER", "regexes": [number]}
    return {"paramType": "TEXT", "regexes": [r"^\S+$"]}


def templates() -> dict[Path, str]:
    """Give the path and the text of the metadata of every template."""
    return {
        HERE / "templates" / f"{name}.json": json.dumps(template(command), indent=2) + "\n"
        for name, command in TEMPLATES.items()
    }


if __name__ == "__main__":
    for path, text in templates().items():
        path.write_text(text, "utf-8")
    for name, schema in TABLES.items():
        pq.write_table(schema.empty_table(), HERE / "bigquery" / f"{name}.parquet")
