"""The provider's function that asks the ledger whether it says anything against a release."""

from __future__ import annotations

from pathlib import Path

from provider_kit import Context, Props

from release_lane.aws.patience import at_most
from release_lane.gates.gate import reported
from release_lane.ledger.halts import halts_in
from release_lane.ledger.place import ledger_at
from release_lane.record.names import Access

WITHIN = 20.0
"""Seconds that a call to the store may take."""


def read_halts(ctx: Context, args: Props) -> Props:
    """`release:index:readHalts`: args `access` (`Access.as_dict`), `ledger`, `environment`, `digest`.

    Returns `Halts.as_dict`.
    """
    del ctx

    def look() -> Props:
        store = ledger_at(str(args["ledger"]), Access.from_dict(args["access"]), Path.cwd())
        with at_most(WITHIN):
            return halts_in(store, str(args["environment"]), str(args["digest"])).as_dict()

    return reported(look)
