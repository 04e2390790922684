"""The stories once more, with the real AWS provider in place of its stand-in.

python -m tools.provider             `make test-provider`: the stories and the command's of `make test`, and long ones
                                     in which the provider has a part (marked `real`), a sample of faults and crashes
                                     among them; meanwhile every type's lives through the provider and its stand-in
python -m tools.provider --whole     all long ones as well
python -m tools.provider --sample    as many of them as CI has time for; left out, with the reason, where the provider
                                     can neither be found nor built
python -m tools.provider --sample --unless-after TIME
                                     left out as well if it is later than TIME (epoch seconds): CI's own time is limited

Creating an environment is mostly waiting (for its load balancer: a minute), so files of tests run side by side, each in
an environment of its own, in one local cloud of their own.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from local_aws import processes, provider
from local_aws.alone import alone
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.progress import Progress
from local_aws.toolchain.provider import ensure_provider
from provider_kit.streams import outliving

from tools.checks import (
    GOES,
    ROOT,
    Check,
    Outcome,
    as_it_was,
    bring_up,
    cloud_cannot_run,
    conclude,
    environment_of,
    left_out,
    perform,
    pytest,
    side_by_side,
)

STORIES = ("first_day", "known_failures", "bad_input")
COMMAND = "packages/release-lane/tests/command"
SAMPLE = (*(f"tests/stories/test_{name}.py" for name in STORIES), f"{COMMAND}/test_on_the_local_cloud.py")
LONGEST = (
    "foundations",
    "database",
    "https",
    "private_subnets",
    "upgrade",
    "interrupted",
    "stepped",
    "foreign_service",
)
"""Files of stories that take minutes, the longest one first: what begins last is waited for by all."""
WHOLE = (
    *(f"tests/stories/test_{name}.py" for name in LONGEST),
    *("tests/faults/test_crashes.py", "tests/faults/test_command_crashes.py"),
    "tests/faults/test_matrix.py::test_the_same_with_the_whole_engine",  # the others do without a provider of AWS
    *sorted(
        str(path.relative_to(ROOT))
        for folder in ("tests/stories", COMMAND)
        for path in (ROOT / folder).glob("test_*.py")
        if path.stem.removeprefix("test_") not in LONGEST
    ),
)
STANDINS = "packages/local-aws/tests/local/standins"
LIKE_STANDINS = (f"{STANDINS}/real", f"{STANDINS}/lifecycle/test_like_the_real_provider.py")
"""What compares it with its stand-ins; on an emulator of its own."""
WORKERS = 5
"""Side by side: more would starve containers on two processors, fewer would wait for load balancers in turn."""

BUT = "not (test_outlived_on_the_local_cloud and [file])"
"""As on AWS, with the states in S3 alone: where they are makes no difference to the provider."""


def check(name: str, paths: tuple[str, ...], marks: str = "cloud") -> Check:
    """Stories of these files."""
    workers = (f"--numprocesses={WORKERS}", "--dist=loadfile", "--no-loadscope-reorder")
    return Check(name, pytest("-m", marks, *workers, "--durations=20", "-k", BUT, *paths), show="as it comes")


def compared() -> Check:
    """In one process, which leads all types through their lives at once: almost all of it is waiting. What is not takes
    what the stories leave, where alarms and users wait for containers."""
    command = pytest("-m", "cloud", "--durations=5", *LIKE_STANDINS)
    return Check("provider and stand-ins", ("nice", "-n", "19", *command), show="at the end")


def main(argv: list[str]) -> int:
    match argv:
        case []:
            wanted, must = [check("provider", WHOLE, "cloud and (not long or real)"), compared()], True
        case ["--whole"]:
            wanted, must = [check("provider (all)", WHOLE), compared()], True
        case ["--sample", "--unless-after", at] if at.isdecimal() and time.time() > int(at):
            return conclude([Outcome("provider (a sample)", 0, 0.0, "no time is left; `make test-provider` runs it")])
        case ["--sample"] | ["--sample", "--unless-after", _]:
            sample = f"provider (a sample: {', '.join(Path(each).stem for each in SAMPLE)})"
            wanted, must = [check(sample, SAMPLE)], False
        case _:
            print(__doc__, file=sys.stderr if argv[:1] not in (["-h"], ["--help"]) else sys.stdout)
            return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return conclude(run(wanted, must=must))
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    finally:
        processes.end_children()


def run(wanted: Sequence[Check], *, must: bool) -> list[Outcome]:
    """`must`: a provider that cannot be had is a failure."""
    places = Places.read({**os.environ, "LOCAL_RUNTIME": str(Places.read().runtime / "provider-stories")})
    if why_not := cloud_cannot_run():
        return left_out(wanted, why_not)
    made = bring_provider(places.cache)
    if not made.ok:
        return without(made, wanted, must=must)
    # Some files make its clock of metrics quick and then slow again; side by side they would do that to each other.
    os.environ["LOCAL_METRICS_PERIOD"] = "1"
    with alone(places.lock, "test-provider"), as_it_was(places) as goes:
        up = bring_up([places], "real")
        if not up.ok:
            return [made, up, *left_out(wanted, "the local cloud did not come up")]
        serves = provider.noted(places)
        assert serves is not None
        environment = {**environment_of(places), "LOCAL_AWS_PROVIDER": "real", **(GOES if goes else {})}
        print(f"provider: {serves.what}")
        return [made, up, *side_by_side([partial(perform, check, environment) for check in wanted])]


def without(made: Outcome, wanted: Sequence[Check], *, must: bool) -> list[Outcome]:
    """A sample is left out, with the reason. For who asked for the stories themselves it is a failure."""
    failed = [replace(made, left_out="")] if must else []
    return [*failed, *left_out(wanted, f"no provider: {made.left_out}")]


def bring_provider(cache: Path) -> Outcome:
    """Found, downloaded or built. `left_out` says why it cannot be had; the code is then that of a failure."""
    begin = time.monotonic()
    try:
        with Progress() as progress, progress.running("provider") as say:
            ensure_provider(cache, say)
    except LocalError as error:
        print(error, file=sys.stderr, flush=True)
        return Outcome("provider", error.exit_code, time.monotonic() - begin, error.what)
    return Outcome("the provider itself", 0, time.monotonic() - begin)


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
