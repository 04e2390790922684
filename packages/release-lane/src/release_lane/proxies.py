"""Which addresses never go through a proxy: this machine's own, and the local cloud's. Pure.

What runs here speaks to itself over loopback: engine, program and provider by gRPC (whose Python library asks a proxy
even for 127.0.0.1), the gates to the local cloud. `.venv` calls this at the start of each of its Pythons (direct.pth),
so it holds for a bare `pulumi up`; the command does, so it holds for all that it starts.
"""

from __future__ import annotations

from collections.abc import Mapping

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]", "127.0.0.0/8")
"""Names that every library compares (some with the brackets), a range for those that know ranges (requests, curl)."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


def direct(environ: Mapping[str, str]) -> dict[str, str]:
    """What to add to an environment in which proxies are set; nothing where none is.

    Some programs read `no_proxy` first, some `NO_PROXY`: each keeps what it would have found.
    """
    if not any(environ.get(name) or environ.get(name.upper()) for name in _PROXIES):
        return {}
    lower, upper, grpc = (environ.get(name, "").strip() for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"))
    found = {"no_proxy": lower or upper, "NO_PROXY": upper or lower}
    # `*` means everything only where it stands alone. gRPC takes it for a name, so it gets a variable of its own.
    kept = {name: value if value == "*" else _with_loopback(value) for name, value in found.items()}
    return {**kept, "no_grpc_proxy": _with_loopback(grpc or lower or upper)}


def _with_loopback(given: str) -> str:
    names = [name.strip() for name in given.split(",") if name.strip()]
    return ",".join(dict.fromkeys([*names, *LOOPBACK]))
