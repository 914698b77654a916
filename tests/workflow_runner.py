"""Executes a workflow of Google Cloud Workflows here, as far as ours use the language."""

import datetime
import json
import re
from collections.abc import Callable
from typing import Any

import yaml


class RaisedError(Exception):
    """What a workflow raised."""


class Mapping(dict):
    """A map whose values are also its attributes, as `${job.name}` reads them."""

    __getattr__ = dict.__getitem__


def read(value: Any) -> Any:
    if isinstance(value, dict):
        return Mapping({key: read(inner) for key, inner in value.items()})
    return [read(inner) for inner in value] if isinstance(value, list) else value


class Library:
    """A library of functions: text.substring is Library(substring=...).substring."""

    def __init__(self, **functions: Any) -> None:
        self.__dict__.update(functions)


def at(given: Any, keys: Any) -> Any:
    for key in keys if isinstance(keys, list) else [keys]:
        given = given.get(key) if isinstance(given, dict) else None
    return given


def iso(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat() + "Z"


class Workflow:
    """A workflow that can be executed.

    Attributes:
      text: its YAML.
      environment: variables of its environment.
      now: what the clock shows, in seconds since 1970.
      answer: called with the name of a call and its arguments; gives its result.
    """

    def __init__(
        self,
        text: str,
        environment: dict[str, str],
        now: float,
        answer: Callable[[str, Any], Any],
    ) -> None:
        self.steps = yaml.safe_load(text)["main"]["steps"]
        self.answer = answer
        self.read_settings: set[str] = set()

        def setting(name: str) -> str:
            self.read_settings.add(name)
            return environment[name]

        self.values: dict[str, Any] = {
            "sys": Library(get_env=setting, now=lambda: now),
            "time": Library(format=iso),
            "json": Library(decode=lambda text: read(json.loads(text))),
            "map": Library(get=at),
            "http": Library(default_retry="the default policy"),
            "text": Library(
                replace_all=lambda source, old, new: source.replace(old, new),
                substring=lambda source, start, end: source[start:end],
                to_lower=str.lower,
                match_regex=lambda source, pattern: bool(re.search(pattern, source)),
            ),
            "default": lambda value, other: other if value is None else value,
            **{"int": int, "double": float, "null": None},
        }

    def run(self) -> Any:
        return self._run(self.steps)[1]

    def value(self, given: Any) -> Any:
        """Give a value with its expressions worked out."""
        if isinstance(given, dict):
            return Mapping({key: self.value(inner) for key, inner in given.items()})
        if isinstance(given, list):
            return [self.value(inner) for inner in given]
        if isinstance(given, str) and given.startswith("${"):
            return eval(given[2:-1], {"__builtins__": {}}, self.values)
        return given

    def _run(self, steps: list[dict[str, Any]]) -> tuple[str, Any]:
        """Run steps; give what ended them: end, return, or next with a step's name."""
        names = [next(iter(step)) for step in steps]
        place = 0
        while place < len(steps):
            how, what = self._step(steps[place][names[place]])
            if how == "next" and what in names:
                place = names.index(what)
            elif how == "end":
                place += 1
            else:
                return how, what
        return "end", None

    def _step(self, step: dict[str, Any]) -> tuple[str, Any]:
        unknown = step.keys() - {
            *("assign", "call", "args", "result", "try", "retry"),
            *("for", "switch", "next", "raise", "return"),
        }
        assert not unknown
        if "retry" in step:
            assert self.value(step["retry"]) == "the default policy"
        if "try" in step:
            return self._step(step["try"])
        for assignment in step.get("assign", []):
            ((name, given),) = assignment.items()
            *path, last = name.split(".")
            scope = self.values
            for part in path:
                scope = scope[part]
            scope[last] = self.value(given)
        if "call" in step:
            found = read(self.answer(step["call"], self.value(step["args"])))
            if "result" in step:
                self.values[step["result"]] = found
        if "for" in step:
            for one in self.value(step["for"]["in"]):
                self.values[step["for"]["value"]] = one
                how, what = self._run(step["for"]["steps"])
                if (how, what) != ("next", "continue") and how != "end":
                    return how, what
        for case in step.get("switch", []):
            # The language has a function where Python has a word.
            condition = re.sub(r"\bnot\(", "not (", case["condition"])
            if self.value(condition):
                chosen = {key: case[key] for key in case.keys() - {"condition", "steps"}}
                ended = self._run(case["steps"]) if "steps" in case else ("end", None)
                return ended if ended[0] != "end" else self._step(chosen)
        if "raise" in step:
            raise RaisedError(self.value(step["raise"]))
        if "return" in step:
            return "return", self.value(step["return"])
        return ("next", step["next"]) if "next" in step else ("end", None)
