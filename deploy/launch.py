"""What the launcher of a Flex Template calls: its parameters become a command line.

    python deploy/launch.py --input=gs://b/in/* --output=gs://b/out --incremental=true

is `newsdedup run --input='gs://b/in/*' --output=gs://b/out --incremental`; with a parameter
`subscription` it is `newsdedup stream`. A parameter is called as its option is, with
underscores. What is none of ours is Beam's, and goes through as it came.

Whoever launches a template waits for a job. A run that finds nothing new has none, so it is
given one that does nothing.
"""

import sys
from collections.abc import Sequence

import apache_beam as beam
import click
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from pipeline.cli import main
from pipeline.running_commands import run, stream

# A parameter is given once, so it holds all values of an option that is repeated.
SEPARATOR = ";"
SWITCH = {"true": True, "false": False}


def parameters_of(command: click.Command) -> dict[str, click.Option]:
    """Give the options of a command by the name of their parameter.

    Without the one by which nothing would run.

    >>> parameters_of(run)["run_id"].opts
    ['--run-id']
    """
    return {
        option.opts[0].removeprefix("--").replace("-", "_"): option
        for option in command.params
        if isinstance(option, click.Option) and option.name != "dry_run"
    }


def command_of(arguments: Sequence[str]) -> click.Command:
    """Give the command whose parameters these are."""
    names = {argument.split("=", 1)[0] for argument in arguments}
    return stream if "--subscription" in names else run


def command_line(arguments: Sequence[str]) -> list[str]:
    """Make the command line that the parameters of a template mean.

    Args:
      arguments: --name=value each; an empty value counts as not given.

    Raises:
      click.UsageError: if a switch is neither true nor false.
    """
    command = command_of(arguments)
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


def leave_a_job(arguments: Sequence[str]) -> None:
    """Write a job that does nothing to where one is expected and none is.

    Args:
      arguments: as of `command_line`; without a template_location no job is expected.
    """
    ours = {f"--{name}" for name in parameters_of(command_of(arguments))}
    theirs = [one for one in arguments if one.split("=", 1)[0] not in ours]
    options = PipelineOptions(theirs, save_main_session=False)
    expected = options.view_as(GoogleCloudOptions).template_location
    if expected and not FileSystems.exists(expected):
        pipeline = beam.Pipeline(options=options)
        pipeline | "Nothing new" >> beam.Create([None], reshuffle=False)
        # Written where it is expected, and started by whoever expects it.
        pipeline.run()


def launched(arguments: Sequence[str]) -> int:
    """Run the command that the parameters mean; give its exit status."""
    try:
        line = command_line(arguments)
    except click.UsageError as error:
        print(f"newsdedup: error: {error.message}", file=sys.stderr)
        return 2
    status = main(line)
    if status == 0:
        leave_a_job(arguments)
    return status


if __name__ == "__main__":
    sys.exit(launched(sys.argv[1:]))
