"""Flags: ours become a Config, those of Apache Beam pass through unchanged."""

import dataclasses
import difflib
import itertools
import re
from collections.abc import Callable
from typing import Any

import click

from pipeline.config import Config

# A number below zero is none.
_FLAG = re.compile(r"-(?![\d.])")
_CONFIG_FIELDS = {field.name: field for field in dataclasses.fields(Config)}


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one option for every setting of Config."""
    for field in reversed(_CONFIG_FIELDS.values()):
        flag = _flag(field.name)
        kind: Any = field.type
        if choices := field.metadata.get("choices"):
            kind = click.Choice(choices)
        name = f"{flag}/--no-{flag[2:]}" if field.type is bool else flag
        command = click.option(
            name,
            type=kind,
            default=field.default,
            show_default=True,
            help=field.metadata["help"],
        )(command)
    return command


def config_of(options: dict[str, Any]) -> Config:
    """Take the settings out of a command's options.

    Raises:
      click.UsageError: if a setting means nothing, in the words of Config but for its
        flag.
    """
    settings = {name: options.pop(name) for name in _CONFIG_FIELDS}
    try:
        return Config(**settings)
    except ValueError as error:
        names = rf"\b({'|'.join(_CONFIG_FIELDS)})\b"
        sentence = re.sub(names, lambda name: _flag(name[1]), str(error))
        raise click.UsageError(sentence) from error


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


class BeamCommand(click.Command):
    """A command that passes Beam's own flags on; Beam drops those that it does not know."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a flag that nobody knows, and an argument that belongs to no flag."""
        ours: set[str] = set()
        takes_value: set[str] = set()
        for option in self.get_params(ctx):
            ours |= {*option.opts, *option.secondary_opts}
            if isinstance(option, click.Option) and not option.is_flag:
                takes_value |= set(option.opts)
        flags = {
            argument.split("=", 1)[0]
            for before, argument in itertools.pairwise(["", *args])
            if _FLAG.match(argument) and before not in takes_value
        }
        if others := sorted(flags - ours):
            known = _beam_flags()
            for flag in others:
                if flag not in known:
                    near = difflib.get_close_matches(flag, sorted(known | ours), n=1)
                    hint = f", did you mean {near[0]}?" if near else ""
                    raise click.UsageError(f"unknown option {flag}{hint}")
        rest = super().parse_args(ctx, args)
        if ctx.args and not ctx.args[0].startswith("-"):
            raise click.UsageError(
                f"unexpected argument {ctx.args[0]}: a pattern for --input needs quotes"
            )
        return rest


def _beam_flags() -> set[str]:
    import argparse

    from apache_beam.options.pipeline_options import PipelineOptions

    known: set[str] = set()
    for options in PipelineOptions.__subclasses__():
        parser = argparse.ArgumentParser(add_help=False)
        options._add_argparse_args(parser)
        known |= {name for action in parser._actions for name in action.option_strings}
    return known
