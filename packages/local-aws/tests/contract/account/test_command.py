"""`make aws-check`, with a fake world: what it refuses, tells, asks, cleans up and reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.account.command import main
from tests.contract.account.fake_world import ACCOUNT, FakeWorld, junit
from tests.contract.contracts import ROOT, all_contracts
from tests.contract.leftovers import Left

pytestmark = pytest.mark.cli

TEST = next(all_contracts()).test
MARK = "0a1b2c3d"


def run(
    world: FakeWorld, folder: Path, *options: str, account: str = ACCOUNT, region: str = "eu-central-1", **environ: str
) -> int:
    return main(["--account", account, "--region", region, *options], environ, world, folder)


def test_a_reader_that_leaves_stops_nothing() -> None:
    """It would not get to cleaning up."""
    reads, writes = os.pipe()
    os.close(reads)
    ended = subprocess.run([sys.executable, "-m", "tests.contract.account"], cwd=ROOT, stdout=writes, stderr=writes)
    os.close(writes)
    assert ended.returncode == 2, "no account was named; nothing else went wrong"


# ---- refused before anything is made


@pytest.mark.parametrize(
    ("world", "given", "code", "shown"),
    [
        (FakeWorld(), {"account": ""}, 2, "not said which account"),
        (FakeWorld(), {"account": "1234"}, 2, "12 digits"),
        (FakeWorld(), {"region": ""}, 2, "which region"),
        (FakeWorld(), {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, 4, "AWS_ENDPOINT_URL"),
        (FakeWorld(), {"AWS_ENDPOINT_URL_ECS": "http://127.0.0.1:4566"}, 4, "AWS_ENDPOINT_URL_ECS"),
        (FakeWorld(), {"LOCAL_AWS_HOME": "/a"}, 4, "LOCAL_AWS_HOME"),
        (FakeWorld(endpoint="http://localhost:4566"), {}, 4, "ecs would be asked at http://localhost:4566"),
        (FakeWorld(endpoint="https://ecs.amazonaws.com.evil.example"), {}, 4, "which is not AWS"),
        (FakeWorld(account="999999999999"), {}, 4, "of account 999999999999"),
        (FakeWorld(account="000000000000"), {"account": "000000000000"}, 4, "not of 000000000000"),
        (FakeWorld(seconds_left=600), {}, 4, "credentials end in 10 minutes"),
        (FakeWorld(seen_at=""), {}, 3, "--visitors"),
        (FakeWorld(no_docker="Cannot connect to the Docker daemon"), {}, 3, "Cannot connect"),
        (FakeWorld(typed=None), {}, 4, "no terminal"),
        (FakeWorld(typed="yes"), {}, 4, "not the account's number"),
        (FakeWorld(typed=""), {}, 4, "not the account's number"),
        (FakeWorld(interrupt="answer"), {}, 130, "before anything was made"),
    ],
)
def test_what_is_not_right_is_refused_before_anything_is_made(
    world: FakeWorld,
    given: dict[str, str],
    code: int,
    shown: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(world, tmp_path, **given) == code
    assert shown in capsys.readouterr().err
    assert world.made == []


@pytest.mark.parametrize(
    ("at", "account"),
    [
        ("http://127.0.0.1:4566", ACCOUNT),
        ("https://ecs.eu-central-1.amazonaws.com", "000000000000"),
        ("http://127.0.0.1.evil.example:80", "000000000000"),
    ],
)
def test_a_rehearsal_is_for_the_local_cloud_alone(at: str, account: str, tmp_path: Path) -> None:
    world = FakeWorld()
    assert run(world, tmp_path, "--yes", "--rehearse-at", at, account=account) == 4
    assert world.made == []


# ---- said and asked


def test_it_tells_what_it_makes_costs_and_takes_before_it_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = FakeWorld(typed="no")
    run(world, tmp_path)
    shown = capsys.readouterr().err
    for part in (
        ACCOUNT,
        "eu-central-1",
        "US dollars",
        "minutes",
        "load balancer",
        "203.0.113.7/32 can reach",
        "--remove",
    ):
        assert part in shown
    assert world.asked == [f"Type the account's number to begin ({ACCOUNT}): "]


def test_yes_does_not_ask(tmp_path: Path) -> None:
    world = FakeWorld(typed=None, report=junit())
    assert run(world, tmp_path, "--yes") == 0
    assert world.asked == []
    assert world.made[0] == f"suite {ACCOUNT} eu-central-1"


@pytest.mark.parametrize(
    ("options", "visitors"), [((), "203.0.113.7/32"), (("--visitors", "198.51.100.0/24"), "198.51.100.0/24")]
)
def test_the_load_balancer_is_open_to_this_machine_or_to_whom_was_said(
    options: tuple[str, ...], visitors: str, tmp_path: Path
) -> None:
    world = FakeWorld(report=junit())
    assert run(world, tmp_path, "--yes", *options) == 0
    assert world.visitors == visitors


def test_visitors_that_are_no_addresses_are_refused(tmp_path: Path) -> None:
    world = FakeWorld()
    assert run(world, tmp_path, "--yes", "--visitors", "everybody") == 2
    assert world.made == []


def test_fewer_contracts_can_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = FakeWorld(report=junit(**{each.test: "missing" for each in all_contracts() if each.test != TEST}))
    assert run(world, tmp_path, "--only", TEST) == 0
    assert world.made[0].endswith(TEST)
    shown = capsys.readouterr().err
    assert "1 contracts will be tried" in shown
    assert "1 of 1 contracts hold" in shown


# ---- cleaned up, whatever happens


@pytest.mark.parametrize(
    ("world", "code"),
    [
        (FakeWorld(report=junit()), 0),
        (FakeWorld(report=junit(**{TEST: "failure"})), 1),
        (FakeWorld(report=junit(**{TEST: "error"})), 1),
        (FakeWorld(report=None), 3),
        (FakeWorld(interrupt="suite"), 130),
    ],
)
def test_all_is_removed_however_the_suite_ends(world: FakeWorld, code: int, tmp_path: Path) -> None:
    assert run(world, tmp_path, "--yes") == code
    assert [line.split(" ")[0] for line in world.made] == ["suite", "remove"]
    assert world.left == []


def test_what_cannot_be_removed_is_named_with_the_command_that_tries_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = FakeWorld(report=junit(), stuck=[Left("VPC", "vpc-1", MARK)])
    assert run(world, tmp_path, "--yes") == 3
    shown = capsys.readouterr().err
    assert "VPC vpc-1" in shown
    mark = world.made[1].removeprefix("remove ")
    assert f"make aws-check ACCOUNT={ACCOUNT} REGION=eu-central-1 OPTIONS='--remove {mark}'" in shown


def test_an_interrupt_while_cleaning_up_says_that_things_are_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = FakeWorld(report=junit(), interrupt="remove")
    assert run(world, tmp_path, "--yes") == 130
    assert "cost money are left" in capsys.readouterr().err


# ---- reported


def test_what_does_not_hold_is_reported_with_its_reason_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = FakeWorld(report=junit(**{TEST: "failure"}))
    assert run(world, tmp_path, "--yes") == 1
    shown, every = capsys.readouterr().err, list(all_contracts())
    assert f"{len(every) - 1} of {len(every)} contracts hold in account {ACCOUNT}, eu-central-1" in shown
    assert f"{TEST}: it was not so" in shown
    (file,) = tmp_path.iterdir()
    report = json.loads(file.read_text())
    assert (report["account"], report["region"], len(report["contracts"])) == (ACCOUNT, "eu-central-1", len(every))
    outcomes = {each["test"]: each["outcome"] for each in report["contracts"]}
    assert outcomes[TEST] == "does not hold"
    assert sorted(outcomes.values()).count("holds") == len(every) - 1


# ---- what earlier runs left


def test_leftovers_are_listed_and_nothing_is_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = FakeWorld(left=[Left("VPC", "vpc-1", MARK), Left("role", "rlc-x", "ffffffff")])
    assert run(world, tmp_path, "--leftovers") == 0
    assert capsys.readouterr().out == f"{MARK}  VPC  vpc-1\nffffffff  role  rlc-x\n"
    assert world.made == []


def test_the_leftovers_of_one_run_are_removed_by_its_mark(tmp_path: Path) -> None:
    other = Left("role", "rlc-x", "ffffffff")
    world = FakeWorld(left=[Left("VPC", "vpc-1", MARK), other])
    assert run(world, tmp_path, "--remove", MARK) == 0
    assert (world.made, world.left) == ([f"remove {MARK}"], [other])


def test_a_mark_of_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = FakeWorld(left=[Left("VPC", "vpc-1", MARK)])
    assert run(world, tmp_path, "--remove", "deadbeef") == 4
    assert "nothing of a run 'deadbeef'" in capsys.readouterr().err
    assert world.made == []
