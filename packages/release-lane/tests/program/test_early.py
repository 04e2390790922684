"""What is asked while the program still loads, with Pulumi mocks."""

from __future__ import annotations

import gc
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import pulumi
import pytest
from pulumi.runtime import mocks as engine_mocks
from release_lane.program import early
from release_lane.program.early import READY, STACK_OUTPUTS, Question, answer, loaded, outputs_of, questions

pytestmark = pytest.mark.program

ONE: Question = ("release:index:one", {"a": 1})
BAD: Question = ("release:index:bad", {})


class Refusal(grpc.RpcError):
    """How the engine says that a function failed."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return "no such thing"


@dataclass
class Engine(engine_mocks.Mocks):
    """Answers each question with how often it was asked; `bad` fails."""

    asked: list[str] = field(default_factory=list)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.asked.append(args.token)
        if args.token.endswith("bad"):
            raise Refusal
        return {"times": self.asked.count(args.token), **args.args}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        raise AssertionError(f"{args.name} was registered")


@pytest.fixture
def engine() -> Engine:
    made = Engine()
    pulumi.runtime.set_mocks(made, project="release-lane", stack="staging", organization="team")
    return made


def program(body: Callable[[], Awaitable[None] | None]) -> None:
    """Run `body` as a Pulumi program."""
    pulumi.runtime.test(body)()


def test_a_module_is_loaded_and_what_was_asked_ahead_is_not_asked_again(engine: Engine) -> None:
    async def body() -> None:
        assert await answer(ONE) == {"times": 1, "a": 1}

    def first() -> Awaitable[None]:
        assert loaded("json", [ONE]) is json
        return body()

    program(first)
    assert engine.asked == ["release:index:one"]


def test_an_answer_is_given_once(engine: Engine) -> None:
    async def body() -> None:
        assert [(await answer(ONE))["times"] for _ in range(2)] == [1, 2]

    def first() -> Awaitable[None]:
        loaded("json", [ONE])
        return body()

    program(first)
    assert len(engine.asked) == 2


def test_other_arguments_are_another_question(engine: Engine) -> None:
    async def body() -> None:
        assert (await answer((ONE[0], {"a": 2})))["a"] == 2

    def first() -> Awaitable[None]:
        loaded("json", [ONE])
        return body()

    program(first)
    assert len(engine.asked) == 2


def test_an_error_is_raised_when_the_answer_is_wanted(engine: Engine) -> None:
    async def body() -> None:
        with pytest.raises(Exception, match="no such thing"):
            await answer(BAD)

    def first() -> Awaitable[None]:
        loaded("json", [BAD])
        return body()

    program(first)
    assert engine.asked == ["release:index:bad"]


def test_an_error_of_an_answer_that_nobody_wants_is_told_nobody(
    engine: Engine, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    program(lambda: loaded("json", [BAD]) and None)
    assert engine.asked == ["release:index:bad"]
    early._asked.clear()  # as at the end of a process: a task whose error was never looked at complains now
    gc.collect()
    assert not caplog.records
    assert "no such thing" not in capsys.readouterr().err


def test_a_module_that_cannot_be_loaded_is_told(engine: Engine) -> None:
    del engine
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        program(lambda: loaded("no_such_module", [ONE]) and None)


@pytest.mark.parametrize(
    ("config", "stacks"),
    [
        ({}, ["artifacts"]),
        ({"release-lane:artifacts": "other"}, ["other"]),
        ({"release-lane:role": "artifacts"}, []),
    ],
    ids=["an environment", "with an artifacts stack of another name", "the artifacts stack itself"],
)
def test_what_is_asked_ahead(engine: Engine, config: Mapping[str, str], stacks: list[str]) -> None:
    del engine
    asked = questions(config)
    assert (READY, {}) in asked
    assert asked[:-1] == [outputs_of(stack) for stack in stacks]


def test_outputs_are_asked_for_by_the_full_name_of_a_stack(engine: Engine) -> None:
    del engine
    assert outputs_of("artifacts") == (STACK_OUTPUTS, {"name": "team/release-lane/artifacts"})
