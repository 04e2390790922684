"""`python -m app`: serve until SIGTERM, finish what is in flight, exit 0."""

import logging
import os
import signal
import sys
import threading

import uvicorn

from app.aws import get_parameter
from app.flags import Flags
from app.keeping import Keeping
from app.observed import JsonLines, Observed
from app.service import create_app
from app.settings import Settings


def keeping(settings: Settings) -> Keeping:
    """What the environment has. Nothing is connected to here: a task starts without its database as well."""
    records = cache = None
    if settings.database_host:
        from app.database import Database, login, where

        records = Database(where(settings), lambda: login(settings))
    if settings.cache_host:
        from app.cache import Valkey

        cache = Valkey(settings)
    return Keeping(records, cache)


def main() -> None:
    settings = Settings.from_environment(os.environ)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(settings.commit))
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    flags = Flags()
    if settings.flags_parameter:
        flags = Flags(lambda: get_parameter(settings.flags_parameter, os.environ))
        flags.refresh()  # before the first request: a task that starts must not turn all of them off
        threading.Thread(target=flags.follow, args=(threading.Event(),), daemon=True).start()
    # On SIGTERM (the load balancer has drained this task by then) uvicorn stops in order, then raises the
    # signal once more; a handler that does nothing makes that exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: None)
    config = uvicorn.Config(
        Observed(create_app(settings, flags, keeping(settings)), settings),
        host="0.0.0.0",
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        lifespan="on",
        timeout_keep_alive=75,  # longer than a load balancer's idle timeout (ALB: 60 s): it must hang up first
        timeout_graceful_shutdown=settings.stop_seconds,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
