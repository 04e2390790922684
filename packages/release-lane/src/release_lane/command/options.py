"""Arguments that several verbs take, and what they add to an update."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from release_lane.engine.state import StackState
from release_lane.errors import UsageError
from release_lane.operate.duration import parse_duration
from release_lane.record.digest import Digest, parse_digest


def add_digest(parser: argparse.ArgumentParser, default: str) -> None:
    """`--digest`, read strictly."""
    parser.add_argument("--digest", metavar="sha256:…", type=str, help=f"the image to release (default: {default})")


def add_environment(parser: argparse.ArgumentParser) -> None:
    """The one positional argument."""
    parser.add_argument("environment", metavar="ENVIRONMENT", help="the stack's name, such as staging")


def add_options(parser: argparse.ArgumentParser, *, heals: bool = True) -> None:
    """Options of every verb that updates an environment."""
    parser.add_argument(
        "--yes", "-y", action="store_true", help="do not ask for a confirmation (asked where promotesFrom is set)"
    )
    add_lock_wait(parser)
    add_on_alarm(parser)
    add_allow_replace(parser)
    add_reason(parser)
    add_without_ledger(parser)
    if heals:
        parser.add_argument(
            "--no-heal",
            action="store_true",
            help="after a failed release leave the idle colour as it is, for inspection (`release heal` restores the"
            " standby later); after a successful one do not reduce it (idle.afterWatch)",
        )


def add_on_alarm(parser: argparse.ArgumentParser) -> None:
    """`--on-alarm`, of every verb that updates an environment, and of the review."""
    parser.add_argument(
        "--on-alarm",
        choices=("proceed",),
        help="proceed: move the traffic although an alarm is firing; this release is the fix",
    )


def alarm_accepted(arguments: argparse.Namespace) -> dict[str, str]:
    """`onAlarm` for this run."""
    return {"onAlarm": arguments.on_alarm} if arguments.on_alarm else {}


def add_hotfix(parser: argparse.ArgumentParser) -> None:
    """`--hotfix`, of every verb that goes forward."""
    parser.add_argument(
        "--hotfix",
        metavar="REASON",
        help="this release is a hotfix, for the ledger and `release metrics`; empty: it is none",
    )


def add_seal(parser: argparse.ArgumentParser) -> None:
    """`--seal`, of every verb that releases what was reviewed."""
    parser.add_argument(
        "--seal",
        metavar="s1:…",
        help="the seal of the review that was approved: preview again, and refuse if anything it covers has moved",
    )


def add_allow_older(parser: argparse.ArgumentParser) -> None:
    """`--allow-older`, of every verb that releases a new image."""
    parser.add_argument(
        "--allow-older",
        action="store_true",
        help="replace the live release although its commit contains the released one (refused otherwise)",
    )


def older_allowed(arguments: argparse.Namespace, before: StackState) -> dict[str, str]:
    """`allowOlder` for this run: the live digest, so that a release that comes in between is not replaced."""
    live = before.recorded.live.digest if before.recorded else None
    return {"allowOlder": live} if arguments.allow_older and live else {}


def named_in_ledger(arguments: argparse.Namespace, digest: str | None) -> None:
    """The image that a call took by itself, for its entry in the ledger, which is made of the arguments."""
    arguments.digest = digest or getattr(arguments, "digest", None)


def add_digest_only(parser: argparse.ArgumentParser, when: str = "") -> None:
    """`--digest-only`, of a rollback and its review."""
    parser.add_argument(
        "--digest-only",
        action="store_true",
        help=f"{when}take only the image back, with the configuration of now: a deployment, and no traffic-only switch",
    )


def add_again(parser: argparse.ArgumentParser) -> None:
    """`--again`, of every verb that releases, and of the review."""
    parser.add_argument(
        "--again",
        action="store_true",
        help="go forward again to a release that users were rolled back from (refused otherwise)",
    )


def again_allowed(arguments: argparse.Namespace, before: StackState) -> dict[str, str]:
    """`forwardFrom` for this run: the live digest, so that a release that comes in between is not replaced."""
    live = before.recorded.live.digest if before.recorded else None
    return {"forwardFrom": live} if arguments.again and live else {}


def add_through_freeze(parser: argparse.ArgumentParser) -> None:
    """`--through-freeze`, of every verb that releases, and of the review."""
    parser.add_argument(
        "--through-freeze",
        metavar="REASON",
        help="release although a freeze window of the stack file holds; the reason is recorded",
    )


def through_freeze(arguments: argparse.Namespace) -> dict[str, str]:
    """`throughFreeze` for this run."""
    return {"throughFreeze": arguments.through_freeze} if arguments.through_freeze is not None else {}


def add_allow_replace(parser: argparse.ArgumentParser) -> None:
    """`--allow-replace`, of every verb that updates an environment, and of the review."""
    parser.add_argument(
        "--allow-replace",
        action="store_true",
        help="rebuild everything where the stack file has another network; users get errors during the rebuild. Where "
        "it has another https.domain: give up the old name, whose users get a certificate error",
    )


def replace_allowed(arguments: argparse.Namespace) -> dict[str, str]:
    """`allowReplace` for this run."""
    return {"allowReplace": "true"} if arguments.allow_replace else {}


def add_reason(parser: argparse.ArgumentParser) -> None:
    """`--reason`, of every verb whose entry in the ledger should say why."""
    parser.add_argument("--reason", metavar="TEXT", help="why, for the ledger (`release history`)")


def add_without_ledger(parser: argparse.ArgumentParser) -> None:
    """`--without-ledger`, of every verb that updates an environment."""
    parser.add_argument(
        "--without-ledger",
        metavar="REASON",
        help="begin although the ledger cannot be written; the evidence says so, and why",
    )


def excused(arguments: argparse.Namespace) -> dict[str, str]:
    """`withoutLedger` for this run."""
    return {"withoutLedger": arguments.without_ledger} if arguments.without_ledger else {}


def add_exceptions(parser: argparse.ArgumentParser, *adds: Callable[[argparse.ArgumentParser], None]) -> None:
    """`--exceptions`: options of the verb, those that `adds` add and no others, in one text.

    A pipeline has one input for them. No shell splits what a person typed there, and nothing else can be typed.
    """
    parser.add_argument(
        "--exceptions",
        metavar="TEXT",
        action=_Exceptions,
        adds=adds,
        help="in one text, as from a pipeline's input: %(allowed)s; empty: none",
    )


def add_exceptions_forward(parser: argparse.ArgumentParser) -> None:
    """`--exceptions`, of every verb that goes forward, and of the review, whose seal covers them."""
    add_exceptions(parser, add_through_freeze, add_again, add_allow_older, add_on_alarm)


class _Exceptions(argparse.Action):
    """Reads the text into the same arguments, as if each option had been given; a `UsageError` names the allowed."""

    def __init__(self, *, adds: Sequence[Callable[[argparse.ArgumentParser], None]], **about: Any) -> None:
        super().__init__(**{**about, "default": argparse.SUPPRESS})
        self.reader = _Reader(add_help=False, allow_abbrev=False)
        for add in adds:
            add(self.reader)
        self.allowed = ", ".join(self.reader.known)

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: Any = None) -> None:
        try:
            self.reader.parse_args(shlex.split(values), namespace)
        except ValueError as error:
            raise UsageError(
                f"--exceptions {values!r} cannot be taken.",
                why=str(error),
                next_step=f"allowed are {self.allowed}; a reason of several words stands in quotes.",
            ) from None


class _Reader(argparse.ArgumentParser):
    """Takes note of what was added; a wrong text is a `ValueError`."""

    known: tuple[str, ...] = ()

    def add_argument(self, *names: Any, **about: Any) -> argparse.Action:
        action = super().add_argument(*names, **about)
        value = action.metavar or "".join(action.choices or ())
        self.known = (*self.known, f"{names[0]} {value}".strip())
        return action

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def add_lock_wait(parser: argparse.ArgumentParser) -> None:
    """`--lock-wait`, of every verb that takes the lock."""
    parser.add_argument(
        "--lock-wait",
        type=parse_duration,
        default=0.0,
        metavar="DURATION",
        help="how long to wait while another update holds the stack's lock, such as 90s or 10m (default: fail at once)",
    )


def digest_given(arguments: argparse.Namespace) -> Digest | None:
    """`--digest`, if it was given; a `UsageError` for anything but a digest."""
    return parse_digest(arguments.digest) if arguments.digest is not None else None
