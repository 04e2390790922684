"""The prober's own process: settings as the first line of stdin, then one command a line, one answer each.

    {"do": "mark", "name": …}          → {}
    {"do": "await-ready", "timeout": s} → {"ready": true|false}
    {"do": "snapshot"} / {"do": "stop"} → a report; after stop the process ends

End of file on stdin also stops it, so it never outlives its parent.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import signal
import sys
from dataclasses import asdict
from typing import Any

from release_lane.probe.engine import Engine
from release_lane.probe.settings import Settings


async def serve(commands: asyncio.StreamReader, settings: Settings) -> None:
    engine = Engine(settings)
    probing = asyncio.create_task(engine.run())
    while line := await commands.readline():
        command = json.loads(line)
        say(await obey(engine, probing, command))
        if command["do"] == "stop":
            return
    engine.stop()


async def obey(engine: Engine, probing: asyncio.Task[None], command: dict[str, Any]) -> dict[str, Any]:
    match command:
        case {"do": "mark", "name": name}:
            engine.mark(name)
            return {}
        case {"do": "await-ready", "timeout": seconds}:
            return {"ready": await is_ready(engine, seconds)}
        case {"do": "snapshot"}:
            return asdict(engine.report())
        case {"do": "stop"}:
            engine.stop()
            await probing
            return asdict(engine.report())
    raise ValueError(f"not a command: {command}")


async def is_ready(engine: Engine, seconds: float) -> bool:
    try:
        await asyncio.wait_for(engine.ready.wait(), seconds)
    except TimeoutError:
        return False
    return True


def say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def allow_many_connections() -> None:
    """The usual soft limit of 1,024 open files is below what a stuck service needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def main() -> None:
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    raw = json.loads(await commands.readline())
    await serve(commands, Settings(**{**raw, "expect": tuple(raw["expect"])}))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes our stdin
    allow_many_connections()
    gc.freeze()
    asyncio.run(main())
