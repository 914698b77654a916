"""The command line: a command parses, builds a Config and calls one function."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn


def interrupted() -> NoReturn:
    """Say that the program was interrupted and end it."""
    print("newsdedup: interrupted", file=sys.stderr, flush=True)
    # The thread that does the work goes on until the process ends.
    os._exit(130)


try:
    import click

    from pipeline.analysis_commands import export, sql
    from pipeline.flags import config_of, config_options
    from pipeline.labelled_commands import evaluate, tune
    from pipeline.launching import HAS_LISTENED
    from pipeline.reading_commands import report, show
    from pipeline.running_commands import run, stream, watch
    from pipeline.terminal import sentence, tell_crash
except KeyboardInterrupt:
    # These take seconds to import, and there is no main() yet to hear of it.
    interrupted()


class _Commands(click.Group):
    """Commands in the order in which a newcomer meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="newsdedup")
def newsdedup() -> None:
    """Turn scraped news into stories.

    Strips site furniture, finds the copies, reprints and rewrites of each article, groups
    what tells the same event, and writes Parquet.

    \b
    Begin with:
      newsdedup run --input 'examples/articles/*' --output out
      newsdedup show out
      newsdedup report out --html report.html
    """


for command in (run, watch, stream):
    newsdedup.add_command(command)


for reading in (show, report):
    newsdedup.add_command(reading)


for further in (sql, export):
    newsdedup.add_command(further)


@newsdedup.command(short_help="Print how likely a pair of a given similarity is proposed.")
@config_options
def curve(**options: Any) -> None:
    """Print how likely a pair is proposed as a copy, by its Jaccard similarity.

    A pair that no band proposes is never compared. With the bands usually chosen for a
    threshold of 0.7, a pair of similarity 0.7 is proposed 44 times in 100.

    \b
    newsdedup curve
    newsdedup curve --bands 14 --band-rows 9
    """
    config = config_of(options)
    click.echo("jaccard  proposed")
    for twentieths in range(21):
        jaccard = twentieths / 20
        click.echo(f"{jaccard:7.2f}  {config.candidate_probability(jaccard):8.3f}")


for labelled in (tune, evaluate):
    newsdedup.add_command(labelled)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status.

    A mistake of the caller is one sentence on standard error and status 2; an interrupted
    run leaves nothing behind and status 130.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.excepthook = tell_crash
    try:
        newsdedup.main(args=arguments, prog_name="newsdedup", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(error.format_message().rstrip("."))
    except (ValueError, OSError) as error:
        return _fail(str(error))
    except (KeyboardInterrupt, click.Abort):
        interrupted()
    return 0


def command_line() -> NoReturn:
    """Be the program: run the command line of this process and end with its status.

    Threads that listened to a runner elsewhere may do so still. Python would stop them in
    the middle of that when it ends, which gRPC answers by aborting the process.
    """
    status = main()
    if HAS_LISTENED.is_set():
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


def _fail(text: str) -> int:
    print(f"newsdedup: error: {sentence(text)}", file=sys.stderr)
    return 2
