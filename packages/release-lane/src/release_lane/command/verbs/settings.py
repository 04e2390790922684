"""`release settings`: all settings of a stack file, annotated."""

from __future__ import annotations

import argparse
from pathlib import Path

from release_lane.command.adapters.project import find_root, read_project
from release_lane.command.terminal import Terminal
from release_lane.disk import template
from release_lane.errors import UsageError
from release_lane.operate.template import TEMPLATE_PROJECT, Answers, render

ORDER = 6
NAME = "settings"
NEEDS_PROJECT = False
HELP = "Print all settings of a stack file, with their bounds and defaults."
DETAILS = """\
It is an annotated stack file, with the keys of this project: copy what you need into
Pulumi.<stack>.yaml. It is that of the installed version.

  release settings
  release settings | grep -A 20 alarms:
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""
    del parser


def run(terminal: Terminal, arguments: argparse.Namespace) -> int:
    """Print them."""
    del arguments
    page = {template.SETTINGS: template.settings()}
    text = render(page, Answers(project=_project(), region=""))[template.SETTINGS]
    terminal.emit({"settings": text}, text.rstrip("\n"))
    return 0


def _project() -> str:
    """The name with which keys begin here; the template's outside of a project."""
    try:
        return read_project(find_root(Path.cwd())).name or TEMPLATE_PROJECT
    except UsageError:
        return TEMPLATE_PROJECT
