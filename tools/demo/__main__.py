"""The demo's story. `python -m tools.demo` (`make demo`).

Starts the local cloud from nothing, in any state that the last demo (or a kill) left, and leaves it running: the URLs
at the end stay up until `make down`. Exit codes as in `local_aws.__main__`; 1 if users noticed anything.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from local_aws import cloud, provider
from local_aws.alone import alone
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.progress import Progress
from provider_kit.streams import outliving
from release_lane.probe import Counts
from release_lane.record.digest import short
from release_lane.record.endpoint import recorded_endpoint
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tools.demo.source import BROKEN, GOOD, Source
from tools.demo.steps import Stage, Step, served, totals

SCREEN = Console(stderr=True, highlight=False)
COUNTS = Mapping[str, Mapping[str, Counts]]


def main(argv: list[str]) -> int:
    """Tell the story once."""
    argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__).parse_args(argv)
    places = Places.read()
    begun = time.monotonic()
    try:
        with alone(places.lock, "make demo"):
            return _demo(places, begun)
    except LocalError as error:
        SCREEN.print(f"demo: {error}", style="red", markup=False, soft_wrap=True)
        return error.exit_code
    except KeyboardInterrupt:
        SCREEN.print("interrupted; `make demo` starts over, `make down` removes what was started")
        return 130


def _demo(places: Places, begun: float) -> int:
    SCREEN.rule("The local cloud, from nothing")
    cloud.down(places, lambda _: None, keep_state=False)
    with Progress() as progress:
        up = cloud.up(places, progress)
    stage = Stage(up.environment, places.root, places.logs / "demo.log")
    stage.log.write_text("")
    source = Source(places.runtime / "demo" / "source", places.root)
    broken, counts = tell(stage, source, begun)
    return _summary(places, stage, counts, broken, time.monotonic() - begun)


def tell(stage: Stage, source: Source, begun: float) -> tuple[str, COUNTS]:
    """Tell the story and show its table, also where it breaks off; the digest that must never have reached a user."""
    broken = ""
    try:
        broken = _story(stage, source)
    finally:
        counts = stage.counts()
        _show(stage, counts, time.monotonic() - begun)
        if not broken:
            print(f"{_users(counts)} until then. The environments stay up until `make down`.")
    return broken, counts


def _story(stage: Stage, source: Source) -> str:
    """The seven steps; the digest that must never have reached a user."""
    first = _build(stage, source, "build 1")
    _deploy(stage, "staging", first, "1 to staging")
    _promote(stage, first, "1 to production")
    source.commit(GOOD)
    second = _build(stage, source, "build 2")
    _deploy(stage, "staging", second, "2 to staging")
    _promote(stage, second, "2 to production")
    source.commit(BROKEN)
    third = _build(stage, source, "build 3 (broken)")
    _refused(stage, third)
    _unproven(stage, third)
    _rollback(stage, first)
    return third


@contextmanager
def _step(stage: Stage, name: str) -> Iterator[Step]:
    """Say what begins and how long it took."""
    step = stage.begin(name)
    begun = time.monotonic()
    with SCREEN.status(f"{name} …"):
        yield step
    step.seconds = time.monotonic() - begun
    SCREEN.print(f"  {step.seconds:5.1f} s  {name}: {step.note}", markup=False, soft_wrap=True)


def _build(stage: Stage, source: Source, name: str) -> str:
    with _step(stage, name) as step:
        built = stage.release("build", "--source", str(source.folder)).data
        step.digest = str(built["imageDigest"])
        step.note = f"commit {built['commit'][:7]} is {short(step.digest)}"
    return step.digest


def _deploy(stage: Stage, environment: str, digest: str, name: str) -> None:
    with _step(stage, name) as step:
        _moved(stage, step, stage.release("deploy", environment, "--digest", digest, "--yes").data)


def _promote(stage: Stage, digest: str, name: str) -> None:
    with _step(stage, name) as step:
        _moved(stage, step, stage.release("promote", "production", "--digest", digest, "--yes").data)


def _moved(stage: Stage, step: Step, data: Mapping[str, str]) -> None:
    step.digest, step.live = data["digest"], data["liveColour"]
    step.note = f"{data['decision']}; users of {data['environment']} are on {data['liveColour']} at {data['url']}"
    if data["environment"] not in stage.probes:
        stage.watch(data["environment"], recorded_endpoint(data))


def _refused(stage: Stage, digest: str) -> None:
    with _step(stage, "3 to staging") as step:
        said = stage.release("deploy", "staging", "--digest", digest, "--yes", expect=1).data
        _stayed(stage, step, "staging")
        step.note = f"refused, and the standby restored.\n{_quoted(said)}"


def _unproven(stage: Stage, digest: str) -> None:
    with _step(stage, "3 to production") as step:
        said = stage.release("promote", "production", "--digest", digest, "--yes", expect=4).data
        _stayed(stage, step, "production")
        step.note = f"refused.\n{_quoted(said)}"


def _rollback(stage: Stage, digest: str) -> None:
    with _step(stage, "production back to 1") as step:
        data = stage.release("rollback", "production", "--to", digest, "--yes").data
        _moved(stage, step, data)
        if data["decision"] != "traffic-only":
            raise LocalError(f"The rollback was a {data['decision']}, but should only have moved weights.")


def _stayed(stage: Stage, step: Step, environment: str) -> None:
    """After a refusal: what users of this environment still have."""
    status = stage.release("status", environment).data
    row = status["environments"][0] if "environments" in status else status
    step.digest, step.live = row["digest"], row["liveColour"]


def _quoted(said: Mapping[str, str]) -> str:
    lines = [line for key in ("what", "why", "next_step") for line in str(said.get(key) or "").splitlines()]
    return "\n".join(f"             | {line}" for line in lines[:9])


def _show(stage: Stage, counts: COUNTS, seconds: float) -> None:
    """The steps that began, and how many requests failed in each."""
    names = list(counts)
    table = Table(title=f"The whole route in {seconds:.0f} s", title_justify="left", box=SIMPLE)
    for heading in ("step", "s", "digest", "live", *(f"{name}\nfailed/total" for name in names)):
        table.add_column(heading, justify="right" if heading == "s" else "left")
    for step in stage.steps:
        asked = {name: f"{failed}/{sent}" for name, failed, sent in totals(counts, step.name)}
        table.add_row(
            step.name,
            f"{step.seconds:.1f}",
            short(step.digest).removeprefix("sha256:"),
            step.live or "-",
            *(asked.get(name, "-") for name in names),
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table)


def _failed(counts: COUNTS) -> int:
    return sum(each.failed for steps in counts.values() for each in steps.values())


def _users(counts: COUNTS) -> str:
    sent = sum(each.sent for steps in counts.values() for each in steps.values())
    return f"Users: {_failed(counts)} of {sent} requests failed"


def _summary(places: Places, stage: Stage, counts: COUNTS, broken: str, seconds: float) -> int:
    unharmed = _failed(counts) == 0 and broken not in served(counts)
    print(f"{_users(counts)}; the broken build answered {'NONE' if unharmed else 'SOME'}.")
    for name in counts:
        print(f"  {name:<11} {stage.probes[name].settings.url.removesuffix('/api/v1/status')}")
    print(f"The updates ran the provider: {serves.what if (serves := provider.noted(places)) else 'unknown'}.")
    print("These stay up until `make down`. By hand: . .local/env, then `release status`, or see README.")
    _keep(places, stage, counts, seconds)
    return 0 if unharmed else 1


def _keep(places: Places, stage: Stage, counts: COUNTS, seconds: float) -> None:
    """The same as JSON, for comparing two demos."""
    steps = [
        {**vars(step), "requests": {name: [failed, sent] for name, failed, sent in totals(counts, step.name)}}
        for step in stage.steps
    ]
    (places.runtime / "demo" / "summary.json").write_text(json.dumps({"seconds": seconds, "steps": steps}, indent=2))


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
