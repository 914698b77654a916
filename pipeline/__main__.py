"""python -m pipeline is newsdedup."""

from pipeline.cli import command_line

command_line()
