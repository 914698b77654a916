"""What the launcher of a Flex Template calls: its parameters become a command line.

    python deploy/launch.py --input=gs://b/in/* --output=gs://b/out --incremental=true

is `newsdedup run --input='gs://b/in/*' --output=gs://b/out --incremental`; with a parameter
`subscription` it is `newsdedup stream`. A parameter is called as its option is, with
underscores. What is none of ours is Beam's, and goes through as it came.
"""

import sys
from collections.abc import Sequence

import click

from pipeline.cli import main
from pipeline.running_commands import run, stream

# A parameter is given once, so it holds all values of an option that is repeated.
SEPARATOR = ";"
SWITCH = {"true": True, "false": False}


def parameters_of(command: click.Command) -> dict[str, click.Option]:
    """Give the options of a command by the name of their parameter.

    >>> parameters_of(run)["run_id"].opts
    ['--run-id']
    """
    return {
        option.opts[0].removeprefix("--").replace("-", "_"): option
        for option in command.params
        if isinstance(option, click.Option)
    }


def command_line(arguments: Sequence[str]) -> list[str]:
    """Make the command line that the parameters of a template mean.

    Args:
      arguments: --name=value each; an empty value counts as not given.

    Raises:
      click.UsageError: if a switch is neither true nor false.
    """
    names = {argument.split("=", 1)[0] for argument in arguments}
    command = stream if "--subscription" in names else run
    known = parameters_of(command)
    words = [str(command.name)]
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        option = known.get(flag.removeprefix("--")) if equals else None
        if option is None:
            words.append(argument)
        elif value and option.is_flag:
            words += _switch(option, value)
        elif value:
            values = value.split(SEPARATOR) if option.multiple else [value]
            words += [f"{option.opts[0]}={part.strip()}" for part in values]
    return words


def _switch(option: click.Option, value: str) -> list[str]:
    if value.lower() not in SWITCH:
        raise click.UsageError(f"{option.opts[0]} must be true or false, got {value}")
    # What is off by default has no flag that says so.
    return [option.opts[0]] if SWITCH[value.lower()] else option.secondary_opts[:1]


def launched(arguments: Sequence[str]) -> int:
    """Run the command that the parameters mean; give its exit status."""
    try:
        line = command_line(arguments)
    except click.UsageError as error:
        print(f"newsdedup: error: {error.message}", file=sys.stderr)
        return 2
    return main(line)


if __name__ == "__main__":
    sys.exit(launched(sys.argv[1:]))
