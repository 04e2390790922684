"""`python -m release_lane.probe URL --rate N --for SECONDS`: what do users get right now?

The same as `release probe URL`, for places where there is no project. Exit code 0 when every request was answered
well by one whole release, 1 when not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from provider_kit.streams import outliving

from release_lane.errors import UsageError
from release_lane.probe.here import probe_for
from release_lane.probe.options import add_options, settings_from, text


def main(argv: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m release_lane.probe", description=__doc__)
    made.add_argument("url", metavar="URL", help="such as http://127.0.0.1:8080/api/v1/status")
    add_options(made)
    made.add_argument("--json", action="store_true", help="the report as JSON")
    try:
        arguments = made.parse_args(argv)
        settings = settings_from(arguments, arguments.url)
    except (ValueError, UsageError) as error:
        made.error(str(error))  # exit code 2
    report = probe_for(settings, arguments.seconds)
    print(json.dumps(asdict(report)) if arguments.json else text(report))
    return 0 if report.flawless else 1


if __name__ == "__main__":
    sys.exit(outliving(main))
