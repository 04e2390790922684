"""The stories once more, with the real AWS provider in place of its stand-in.

python -m tools.provider             `make test-provider`: all stories, the command's, a sample of faults and crashes
python -m tools.provider --sample    as many of them as CI has time for; left out, with the reason, where the provider
                                     can neither be found nor built

Creating an environment is mostly waiting (for its load balancer: a minute), so files of tests run side by side, each in
an environment of its own, in one local cloud of their own.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from local_aws import processes, provider
from local_aws.alone import alone
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.progress import Progress
from local_aws.toolchain.provider import ensure_provider
from provider_kit.streams import outliving

from tools.checks import (
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
)

STORIES = ("first_day", "known_failures", "bad_input")
COMMAND = "packages/release-lane/tests/command"
SAMPLE = (*(f"tests/stories/test_{name}.py" for name in STORIES), f"{COMMAND}/test_on_the_local_cloud.py")
WHOLE = ("tests/stories", COMMAND, "tests/faults/test_crashes.py", "tests/faults/test_command_crashes.py")
WORKERS = 4
"""Side by side: more would starve containers on two processors, fewer would wait for load balancers in turn."""


def check(name: str, paths: tuple[str, ...]) -> Check:
    """Long ones as well: half of the stories are."""
    options = ("-m", "cloud", f"--numprocesses={WORKERS}", "--dist=loadfile", "--durations=10")
    return Check(name, pytest(*options, *paths), show="as it comes")


def main(argv: list[str]) -> int:
    match argv:
        case []:
            wanted, must = check("provider", WHOLE), True
        case ["--sample"]:
            wanted, must = check(f"provider (a sample: {', '.join(Path(each).stem for each in SAMPLE)})", SAMPLE), False
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


def run(wanted: Check, *, must: bool) -> list[Outcome]:
    """`must`: a provider that cannot be had is a failure."""
    places = Places.read({**os.environ, "LOCAL_RUNTIME": str(Places.read().runtime / "provider-stories")})
    if why_not := cloud_cannot_run():
        return left_out([wanted], why_not)
    made = bring_provider(places.cache)
    if not made.ok:
        return without(made, wanted, must=must)
    # Some files make its clock of metrics quick and then slow again; side by side they would do that to each other.
    os.environ["LOCAL_METRICS_PERIOD"] = "1"
    with alone(places.lock, "test-provider"), as_it_was(places) as goes:
        up = bring_up([places], "real")
        if not up.ok:
            return [made, up, *left_out([wanted], "the local cloud did not come up")]
        serves = provider.noted(places)
        assert serves is not None
        environment = {**environment_of(places), "LOCAL_AWS_PROVIDER": "real"}
        print(f"provider: {serves.what}; {' '.join(each for each in wanted.command if Path(ROOT / each).exists())}")
        done = perform(wanted, {**environment, **({"LOCAL_CLOUD_GOES": "1"} if goes else {})})
        return [made, up, done]


def without(made: Outcome, wanted: Check, *, must: bool) -> list[Outcome]:
    """A sample is left out, with the reason. For who asked for the stories themselves it is a failure."""
    failed = [replace(made, left_out="")] if must else []
    return [*failed, *left_out([wanted], f"no provider: {made.left_out}")]


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
