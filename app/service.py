"""The HTTP interface. Handlers are coroutines that never block, so none of them needs a thread."""

import logging
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from app import selfcheck
from app.checksums import SUPPORTED_ALGORITHMS, checksum
from app.flags import Flags
from app.keeping import Keeping, Result, Unavailable
from app.settings import Settings

log = logging.getLogger("app")
HEX = re.compile(r"[0-9a-f]{1,128}")
LARGEST_BODY = 100 * 1024 * 1024  # bytes; hashed as they arrive, never held


def create_app(
    settings: Settings,
    flags: Flags | None = None,
    keeping: Keeping | None = None,
    largest_body: int = LARGEST_BODY,
) -> FastAPI:
    flags, keeping = flags or Flags(), keeping or Keeping()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await keeping.close()

    api = FastAPI(title="Checksums", version=settings.commit, max_body_size=largest_body, lifespan=lifespan)
    about = {
        "commit": settings.commit,
        "digest": settings.digest,
        "colour": settings.colour,
        "releaseId": settings.release_id,
        "startedAt": datetime.now(UTC).isoformat(timespec="seconds"),
    }

    @api.get("/health")
    async def health() -> dict[str, str]:
        """Can this process take traffic? Depends on no other service, whose failure would stop healthy tasks."""
        return {"status": "ok"}

    @api.get("/api/v1/status")
    async def status() -> dict[str, Any]:
        """What runs here, and whether it still does its job: always 200, the verdict is `status`. A cache that fails
        is among the problems, and no error: without it the service is slower, and does its job."""
        kept, needed, spared = await keeping.status()
        problems = [*selfcheck.problems(), *needed]
        held = {**kept, "flags": dict(flags.shares), **({"flagsProblem": flags.problem} if flags.problem else {})}
        return {"status": "error" if problems else "ok", "problems": [*problems, *spared], **held, **about}

    @api.post("/api/v1/checksums")
    async def post_checksums(request: Request, algorithm: str = "sha256") -> dict[str, Any]:
        """The checksum of the body, recorded; with the flag `timings` how long it took as well."""
        if algorithm not in SUPPORTED_ALGORITHMS:
            supported = ", ".join(sorted(SUPPORTED_ALGORITHMS))
            raise HTTPException(400, f"algorithm {algorithm!r}: should be one of {supported}")
        began, user = time.perf_counter(), request.headers.get("x-user") or secrets.token_hex(8)
        size, hex_digits = await checksum(request.stream(), algorithm)
        by = settings.release_id or None
        await keeping.add(Result(algorithm=algorithm, checksum=hex_digits, bytes=size, release=by))
        took = {"ms": round((time.perf_counter() - began) * 1000, 1)} if flags.on("timings", user) else {}
        return {"algorithm": algorithm, "checksum": hex_digits, "bytes": size, **took}

    @api.get("/api/v1/checksums/{checksum}")
    async def get_checksum(checksum: str) -> dict[str, Any]:
        """When a checksum was computed first and last, how often, and by which release last; some seconds old."""
        if not keeping.records:
            raise HTTPException(404, "this environment has no database: no checksum is remembered")
        if not HEX.fullmatch(checksum.lower()):
            raise HTTPException(404, "a checksum is written in hex digits")
        found = await keeping.about(checksum.lower())
        if not found:
            raise HTTPException(404, f"no checksum {checksum} was computed here")
        return {"checksum": checksum.lower(), **found}

    @api.exception_handler(Unavailable)
    async def unavailable(_request: Request, error: Unavailable) -> JSONResponse:
        log.error("the database is unavailable: %s", error)
        said = {"detail": "the database is unavailable: try again"}
        return JSONResponse(said, 503, {"Retry-After": "2"})

    @api.exception_handler(ClientDisconnect)
    async def client_left(_request: Request, _error: Exception) -> Response:
        return Response(status_code=499)  # the client is gone; the log should not call it our failure

    return api
