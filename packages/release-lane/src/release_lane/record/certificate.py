"""What makes a certificate unfit for the name that users come by. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate as ACM describes it: its status (ISSUED, …; "" if there is none), the names it is for, when it ends
    (epoch seconds)."""

    status: str = ""
    names: Sequence[str] = ()
    ends: float = 0.0

    def problem(self, domain: str, now: float) -> str:
        """Why a browser that asks for `domain` would refuse it now; "" if it would not."""
        if not self.status:
            return "it does not exist in this account and region"
        if self.status == "EXPIRED" or 0 < self.ends < now:
            return "it has expired"
        if self.status != "ISSUED":
            return f"it is not issued (ACM says {self.status})"
        if not any(covers(name, domain) for name in self.names):
            return f"it is for {', '.join(self.names) or 'no name'}, not for {domain}"
        return ""


def covers(name: str, domain: str) -> bool:
    """Is a certificate for `name` one for `domain`? A wildcard stands for one label (RFC 6125, 6.4.3)."""
    name = name.lower()
    if name.startswith("*."):
        return domain.partition(".")[2] == name[2:]
    return name == domain
