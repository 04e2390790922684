"""What a provider is made of: resources (one instance per type), plain functions, and a context per request."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from provider_kit.diffs import Change, structural
from provider_kit.errors import Cancelled
from provider_kit.values import UNKNOWN, Props

Severity = Literal["info", "warning"]


class Log(Protocol):
    """Where messages for the person who watches the update go."""

    def __call__(self, text: str, urn: str, *, severity: Severity, ephemeral: bool) -> None: ...


@dataclass(frozen=True)
class State:
    """A resource as the engine has recorded it."""

    id: str
    inputs: Props
    outputs: Props


@dataclass(frozen=True)
class Context:
    """One request of the engine: which resource it is about, and how to speak to the person watching."""

    config: Props
    """The provider's own configuration."""
    cancelled: threading.Event
    """Set once when the update is interrupted or the engine is gone. Long work has to watch it."""
    log: Log
    urn: str = ""
    name: str = ""
    type: str = ""
    random_seed: bytes = b""
    """In `check`: the same for one resource in preview and update. For made-up names."""
    timeout: float = 0.0
    """Seconds that the person gave this operation (`customTimeouts`); 0 when none was given."""
    ignore: Sequence[str] = field(default=())
    """In `update` and `diff`: the property paths whose changes are ignored."""

    def say(self, text: str) -> None:
        """A passing status line on this resource, replaced by the next one."""
        self.log(text, self.urn, severity="info", ephemeral=True)

    def info(self, text: str) -> None:
        """A lasting message on this resource."""
        self.log(text, self.urn, severity="info", ephemeral=False)

    def warn(self, text: str) -> None:
        """A lasting warning on this resource."""
        self.log(text, self.urn, severity="warning", ephemeral=False)

    def wait(self, seconds: float, what: str = "the wait") -> None:
        """Let `seconds` pass, or raise Cancelled as soon as the update is interrupted."""
        if self.cancelled.wait(seconds):
            raise Cancelled(f"{what} was cancelled")


SAID_AGAIN_AFTER = 10.0
"""Seconds after which the same progress is said again."""


class Progress:
    """Status lines of something that is looked at again and again.

    Without a terminal the engine's display gives each a line of its own: so one is said when it means something else
    than the last one, or when that is `SAID_AGAIN_AFTER` old. `clock` gives seconds.
    """

    def __init__(self, ctx: Context, clock: Callable[[], float] = time.monotonic) -> None:
        self._ctx = ctx
        self._clock = clock
        self._meant, self._at = "", float("-inf")

    def say(self, text: str, meaning: str) -> None:
        """`meaning`: the part of it whose change is worth a line at once."""
        now = self._clock()
        if meaning != self._meant or now - self._at >= SAID_AGAIN_AFTER:
            self._meant, self._at = meaning, now
            self._ctx.say(text)


class Resource(ABC):
    """One resource type. Methods run in threads of their own, several at once: keep no state in `self`."""

    token: ClassVar[str]
    replace_on: ClassVar[frozenset[str]] = frozenset()
    computed: ClassVar[frozenset[str]] = frozenset()
    """Properties that are outputs only: unknown in the preview of a create, kept through an update."""
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    delete_before_replace: ClassVar[bool] = False

    def check(self, ctx: Context, inputs: Props, old: Props | None) -> tuple[Props, list[tuple[str, str]]]:
        """Inputs with defaults filled in, and (property, message) of each that is wrong.

        `old` are the inputs recorded before, None on a create. May see UNKNOWN. Also runs in previews.
        """
        del ctx, old
        return inputs, []

    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        """What an update would change; an empty list means nothing to do. May see UNKNOWN."""
        del ctx
        return structural(old.inputs, inputs, self.replace_on, ignore)

    def deletes_first(self, ctx: Context, old: State, inputs: Props) -> bool:
        """Whether a replacement deletes the old one before it makes the new one."""
        del ctx, old, inputs
        return self.delete_before_replace

    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        """The outputs to show in a preview of a create (`old` is None) or an update. Changes nothing."""
        del ctx
        if old is None:
            return dict.fromkeys(self.computed, UNKNOWN) | inputs
        return self.kept(old) | inputs

    @abstractmethod
    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        """Make it. Returns its id and outputs, which are merged over the inputs."""

    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        """Change it in place. Returns outputs, merged over the kept computed ones and the inputs."""
        del ctx, old, inputs
        raise NotImplementedError(f"{self.token} cannot be updated in place")

    def read(self, ctx: Context, id: str, props: Props, inputs: Props) -> tuple[Props, Props] | None:
        """The truth about it as (outputs, inputs), or None when it is gone. `props` and `inputs` are empty
        on an import. An output named `id` is the id to record, where an import accepts other spellings."""
        del ctx, id
        return props, inputs

    def delete(self, ctx: Context, state: State) -> None:
        """Remove it; already gone is success."""
        del ctx, state

    def kept(self, old: State) -> Props:
        """The computed outputs of before."""
        return {key: old.outputs[key] for key in self.computed if key in old.outputs}


Function = Callable[[Context, Props], Props]


class Provider:
    """A named, versioned set of resource types and functions.

    `configure` is called once with the configuration, before anything else, and may raise UserError.
    `note` is added to the refusal of a type or function that is not there. `secret_results` names, by
    function token, the results that are secrets.
    """

    def __init__(
        self,
        name: str,
        version: str,
        resources: Sequence[Resource],
        functions: Mapping[str, Function] | None = None,
        configure: Callable[[Props], None] | None = None,
        note: str = "",
        secret_results: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.resources = {resource.token: resource for resource in resources}
        self.functions = dict(functions or {})
        self.configure = configure
        self.note = note
        self.secret_results = dict(secret_results or {})
