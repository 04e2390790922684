"""Each verb of the command once, on AWS behind a proxy that counts: what it costs in calls.

`python -m tests.faults.verbs` tells the story and writes verbs.json, with which `test_verbs.py` compares, and the table
in docs/architecture.md. The ledger is a bucket, as on AWS. What engine and command ask of the backend of the states is
not counted, and neither are the requests of smoke checks and prober, which are none to AWS.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.budget import LATENCY, Budget, Timed, besides_polls, chain, moments
from tests.faults.proxy import FaultProxy

if TYPE_CHECKING:
    from tests.command.checkout import Checkout, Ended

ROOT = Path(__file__).resolve().parents[2]
VERBS = Path(__file__).with_name("verbs.json")
PAGE = ROOT / "docs/architecture.md"

NO_AWS = {
    "check": "runs the project's own commands",
    "init": "writes files",
    "settings": "prints a page",
}
"""Verbs that cannot call AWS: they get the terminal alone, and none of the tools."""

STEPS = "{project}:shift: {{steps: [50, 100], bakeSeconds: 600}}"
HOLD = "{project}:shift: {{steps: [50, 100], hold: 50}}"
ALARMS = "{project}:alarms: {{unhealthyTargets: 99}}"


@dataclass(frozen=True)
class Spent:
    """What a verb needed: of everything but the ledger, and with the ledger in S3."""

    without_ledger: Budget
    in_all: Budget


def spent(calls: Sequence[Timed]) -> Spent:
    """Counted."""
    others = [each for each in calls if each.call.service != "s3"]
    return Spent(*(Budget(len(each), len(chain(each))) for each in (others, calls)))


def recorded() -> dict[str, Spent]:
    """What each part of the story needed when it was recorded."""
    known: Mapping[str, Mapping[str, Mapping[str, int]]] = json.loads(VERBS.read_text())
    return {name: Spent(**{of: Budget(**each) for of, each in found.items()}) for name, found in known.items()}


def verb_of(name: str) -> str:
    """Of a part of the story: `deploy, nothing to do` is of `deploy`."""
    return name.partition(",")[0]


@dataclass
class Counting:
    """A checkout whose calls to AWS are counted, next to the same one that is not."""

    plain: Checkout
    proxy: FaultProxy
    behind: Checkout = field(init=False)

    def __post_init__(self) -> None:
        self.behind = copy.copy(self.plain)
        self.behind.variables = {**self.plain.variables, "AWS_ENDPOINT_URL": self.proxy.url}

    def calls(self, *arguments: str, codes: Sequence[int] = (0,)) -> list[Timed]:
        """The calls of a verb that ends as it should."""
        self.proxy.begin()
        ended: Ended = self.behind.release(*arguments)
        assert ended.code in codes, f"{arguments} ended with {ended.code}\n{ended.out}\n{ended.err}"
        return besides_polls(self.proxy.timed)

    def one_round(self, *arguments: str) -> list[Timed]:
        """The calls of a verb that looks again and again, up to the end of its first round."""
        from tests.command.checkout import says

        self.proxy.begin()
        with self.behind.started(*arguments) as running:
            says(running, "of 2 targets")
            return list(self.proxy.timed)

    def given(self, environment: str, setting: str = "") -> None:
        """The stack file as it was at first, with one more setting."""
        file = self.plain.folder / f"Pulumi.{environment}.yaml"
        marked = [line for line in file.read_text().splitlines() if not line.endswith("# for now")]
        at = marked.index("config:") + 1
        more = [f"  {setting.format(project=self.plain.project)}  # for now"] if setting else []
        file.write_text("\n".join([*marked[:at], *more, *marked[at:]]) + "\n")
        self.plain.commit("Other settings")

    def built(self) -> str:
        """Another image; its digest."""
        self.plain.change("app/service.py", '"""', '"""Another edition. ')
        return self.plain.release("build").ok().out.strip()


def story(lane: Counting) -> Iterator[tuple[str, list[Timed]]]:
    """Every verb that may call AWS, in the order of a life; and with it the calls that it made."""
    plain = lane.plain
    bucket = f"{plain.project}-ledger"
    yield "ledger", lane.calls("ledger", "create", "--at", f"s3://{bucket}")
    for environment in ("staging", "production"):
        _as_on_aws(plain, environment, bucket)
    plain.commit("As on AWS")

    yield "build", lane.calls("build")
    first = plain.release("build").ok().out.strip()
    yield "deploy, the first release", lane.calls("deploy", "staging", "--digest", first)
    yield "promote, the first release", lane.calls("promote", "production", "--digest", first, "--yes")
    second = lane.built()
    yield "deploy", lane.calls("deploy", "staging", "--digest", second)
    yield "deploy, nothing to do", lane.calls("deploy", "staging", "--digest", second)

    yield "review", lane.calls("review", "production", "--digest", second)
    yield "plan", lane.calls("plan", second)
    yield "parity", lane.calls("parity", "production", codes=(0, 1))
    yield "check-image", lane.calls("check-image", second)
    yield "scan", lane.calls("scan", second, "--wait", "0s", "--accept", "unscanned")
    yield "promote", lane.calls("promote", "production", "--digest", second, "--yes")
    for verb, *arguments in (
        ("status",),
        ("board", "--out", ".local/public"),
        ("metrics",),
        ("history",),
        ("drift", "staging"),
        ("smoke", "staging"),
        ("probe", "staging", "--for", "1s"),
    ):
        yield verb, lane.calls(verb, *arguments)
    lane.given("staging", ALARMS)
    yield "watch", lane.one_round("watch", "staging", "--for", "30m", "--no-rollback")

    lane.given("staging")
    yield "drill", lane.calls("drill", "staging")
    yield "rollback", lane.calls("rollback", "production", "--yes")
    yield "heal, nothing to do", lane.calls("heal", "staging")
    _resize_idle(plain)
    yield "heal", lane.calls("heal", "staging")
    yield "flag", lane.calls("flag", "staging", "timings=on", "--reason", "to see")
    _end_flags(plain)
    yield "quarantine", lane.calls("quarantine", first, "--reason", "to see")
    yield "pardon", lane.calls("pardon", first, "--reason", "seen")
    yield "stop-the-line", lane.calls("stop-the-line", "staging", "--reason", "to see")
    yield "resume", lane.calls("resume", "staging", "--reason", "seen")
    registry = plain.variables["AWS_ENDPOINT_URL"].removeprefix("http://")
    yield "adopt", lane.calls("adopt", f"{registry}/{plain.project}/app@{first}")

    lane.given("staging", STEPS)
    third = lane.built()
    with plain.started("deploy", "staging", "--digest", third) as update:
        _half_moved(plain)
        yield "abort", _once_awaited(lane.calls("abort", "staging", "--yes"))
        update.communicate()
    with plain.started("deploy", "staging", "--digest", third, "--no-heal") as update:
        _half_moved(plain)
        _kill_engine(update.pid)
        update.communicate()
    yield "recover", lane.calls("recover", "staging", "--yes", "--undo")
    yield "recover, nothing to do", lane.calls("recover", "staging")
    lane.given("staging", HOLD)
    plain.release("deploy", "staging", "--digest", third).ok()
    yield "hold", lane.calls("hold", "end", "staging", "--winner", "old", "--reason", "seen")


def _as_on_aws(plain: Checkout, environment: str, bucket: str) -> None:
    """The ledger in its bucket, and flags under this project's name. Containers that starve start late."""
    file = plain.folder / f"Pulumi.{environment}.yaml"
    text = file.read_text().replace("/release-lane/", f"/{plain.project}/")
    assert "file://.local/state/ledger" in text
    late = f"config:\n  {plain.project}:rollout: {{graceSeconds: 900}}\n"
    file.write_text(text.replace("file://.local/state/ledger", f"s3://{bucket}").replace("config:\n", late, 1))


def _resize_idle(plain: Checkout) -> None:
    """By hand, so that there is something to heal."""
    idle = next(colour for colour, share in plain.weights().items() if share == 0)
    name = f"{plain.project}-staging"
    plain.aws("ecs").update_service(cluster=name, service=f"{name}-{idle}", desiredCount=0)


def _end_flags(plain: Checkout) -> None:
    given = ("--stack", "staging-flags", "--config-file", "Pulumi.staging.yaml")
    plain.run("pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive", *given).ok()


def _half_moved(plain: Checkout) -> None:
    from tests.command.checkout import until

    until(lambda: sorted(plain.weights().values()) == [50, 50], "half of the users are moved")


def _kill_engine(command: int) -> None:
    from tests.faults.crash import children

    (engine,) = children(command)
    os.kill(engine, signal.SIGKILL)


def _once_awaited(calls: Sequence[Timed]) -> list[Timed]:
    """Of the looks with which an abort waits for the switch only the last one counts."""
    groups = list(moments(calls))
    named = [{each.call.operation for each in group} for group in groups]
    asked = next(number for number, names in enumerate(named) if "AddTags" in names)
    last = max(number for number, names in enumerate(named) if "DescribeLoadBalancers" in names)
    assert asked < last
    return [each for number, group in enumerate(groups) if number <= asked or number >= last for each in group]


def counting(folder: Path) -> Iterator[Counting]:
    """A checkout of its own on the local cloud, behind the proxy."""
    from tests.command.checkout import on_the_local_cloud

    with (
        on_the_local_cloud(folder) as plain,
        FaultProxy(plain.variables["AWS_ENDPOINT_URL"], latency=LATENCY) as proxy,
    ):
        yield Counting(plain, proxy)


HEAD = "| verb | calls | steps | with the ledger | steps |\n| --- | --- | --- | --- | --- |\n"
"""Of the table in docs/architecture.md."""


def table(known: Mapping[str, Spent]) -> str:
    """What was recorded, for readers."""
    rows = (
        f"| {name} | {each.without_ledger.calls} | {each.without_ledger.in_sequence} "
        f"| {each.in_all.calls} | {each.in_all.in_sequence} |\n"
        for name, each in known.items()
    )
    return HEAD + "".join(rows)


def main() -> None:
    argparse.ArgumentParser(prog="python -m tests.faults.verbs", description=__doc__).parse_args()
    # Where pytest finds `tests.command`, see `pythonpath` in pyproject.toml.
    sys.path.append(str(ROOT / "packages/release-lane"))
    found: dict[str, Spent] = {}
    with tempfile.TemporaryDirectory() as folder:
        for lane in counting(Path(folder, "checkout")):
            for name, calls in story(lane):
                found[name] = spent(calls)
                print(f"{name}: {found[name]}\n  {' '.join(chain(calls))}", file=sys.stderr)
    rows = [f"  {json.dumps(name)}: {json.dumps(asdict(each))}" for name, each in found.items()]
    VERBS.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    before, _, after = PAGE.read_text().partition(HEAD)
    PAGE.write_text(before + table(found) + after[re.match(r"(\|.*\n)*", after).end() :])


if __name__ == "__main__":
    main()
