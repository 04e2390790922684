"""A provider of one resource type, for tests: a marker with a text, which can misbehave on demand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from provider_kit import (
    Change,
    Context,
    PartialFailure,
    Props,
    Provider,
    Resource,
    State,
    UserError,
    serve,
)
from typing_extensions import override


class AwsError(Exception):
    """Looks like botocore's ClientError, module and attributes alike."""

    __module__ = "botocore.exceptions"

    def __init__(self) -> None:
        super().__init__("An error occurred")
        self.operation_name = "CreateService"
        self.response = {"Error": {"Code": "InvalidParameterException", "Message": "not idempotent."}}


class Marker(Resource):
    token = "test:index:Marker"
    replace_on = frozenset({"colour"})
    computed = frozenset({"arn", "password"})
    secret_outputs = frozenset({"password"})

    @override
    def check(self, ctx: Context, inputs: Props, old: Props | None) -> tuple[Props, list[tuple[str, str]]]:
        if inputs.get("text") == "":
            return inputs, [("text", "should not be empty")]
        defaults = {"name": (old or {}).get("name") or f"{ctx.name}-{ctx.random_seed.hex()[:4]}"}
        return defaults | inputs, []

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        drift = [Change("weights")] if old.outputs.get("drifted") else []
        return [*super().diff(ctx, old, inputs, ignore), *drift]

    @override
    def deletes_first(self, ctx: Context, old: State, inputs: Props) -> bool:
        return bool(inputs.get("alone"))

    @override
    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        self._act(ctx, inputs)
        echo = {"echo": inputs["text"]} if inputs.get("act") == "echo" else {}
        return "m-1", {"arn": "arn:m-1", "password": "hunter2", "seen": sorted(inputs), "nothing": None} | echo

    @override
    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        self._act(ctx, inputs)
        return {"before": old.inputs.get("text")}

    @override
    def read(self, ctx: Context, id: str, props: Props, inputs: Props) -> tuple[Props, Props] | None:
        return None if id == "gone" else (props | {"arn": f"arn:{id}"}, inputs | {"text": "live"})

    @override
    def delete(self, ctx: Context, state: State) -> None:
        self._act(ctx, state.outputs)

    def _act(self, ctx: Context, inputs: Props) -> None:
        match inputs.get("act"):
            case "say":
                ctx.say("half way")
                ctx.warn("look out")
            case "refuse":
                raise UserError("the text is not allowed")
            case "crash":
                raise ZeroDivisionError("by zero")
            case "aws":
                raise AwsError
            case "partial":
                raise PartialFailure("made, but broken", "m-1", {"arn": "arn:m-1"})
            case "wait":
                ctx.say("waiting")
                ctx.wait(60, "the marker's wait")
            case "hang":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                ctx.say(str(child.pid))
                child.wait()


def echo(ctx: Context, args: Props) -> Props:
    return args | {"region": ctx.config.get("region"), "token": ctx.type}


def configured(config: Props) -> None:
    if config.get("region") == "nowhere":
        raise UserError("there is no such region")


def provider() -> Provider:
    return Provider("test", "1.2.3", [Marker()], {"test:index:echo": echo}, configured, note="see the manual")


if __name__ == "__main__":
    serve(provider(), sys.argv[1:], at_end=lambda ending: print(f"ending: {ending}", file=sys.stderr, flush=True))
