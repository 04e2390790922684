"""What a change of the network costs a month: the parts of it that AWS charges by the hour. Pure.

List prices of us-east-1 in US dollars, as of March 2026; other regions are some 10 to 30 percent dearer. Traffic
through them is charged as well, by the GB, and not counted here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.engine.events import Step

AS_OF = "list prices of us-east-1, March 2026, without traffic"
HOURS = 730
"""In a month, as AWS's own calculator counts them."""


@dataclass(frozen=True)
class Price:
    """US dollars an hour, and the page that says so."""

    what: str
    an_hour: float
    source: str


NAT = Price("NAT gateway", 0.045, "https://aws.amazon.com/vpc/pricing/")
ADDRESS = Price("public IPv4 address", 0.005, "https://aws.amazon.com/vpc/pricing/")
ENDPOINT = Price("interface endpoint in one zone", 0.01, "https://aws.amazon.com/privatelink/pricing/")


def monthly(steps: Iterable[Step]) -> str:
    """One sentence; "" where none of the steps changes what the network costs."""
    changed: Counter[Price] = Counter()
    unknown = False
    for step in steps:
        inputs = step.inputs if step.op != "delete" else {}
        changed.update(_counted(step.type, inputs))
        changed.subtract(_counted(step.type, step.old_inputs if step.op != "create" else {}))
        unknown |= _is_interface(step.type, inputs) and isinstance(inputs.get("subnetIds"), str)
    parts = [f"{number:+d} {price.what}" for price, number in changed.items() if number]
    if not (parts or unknown):
        return ""
    dollars = sum(price.an_hour * number * HOURS for price, number in changed.items())
    least = "at least " if unknown else ""
    return f"Network: {least}{dollars:+.2f} US dollars a month ({'; '.join([*parts, AS_OF])})."


def _is_interface(type_: str, inputs: Mapping[str, Any]) -> bool:
    return type_.endswith(":VpcEndpoint") and inputs.get("vpcEndpointType") == "Interface"


def _counted(type_: str, inputs: Mapping[str, Any]) -> dict[Price, int]:
    """How many of what is charged are in one resource.

    A preview knows how many subnets there will be, though not their ids. Where a program hands on the whole list as one
    value that is not known yet (a text), it is one at least.
    """
    match type_.rsplit(":", 1)[-1] if inputs else "":
        case "NatGateway":
            return {NAT: 1}
        case "Eip":
            return {ADDRESS: 1}
        case "VpcEndpoint" if _is_interface(type_, inputs):
            subnets = inputs.get("subnetIds") or ()
            return {ENDPOINT: 1 if isinstance(subnets, str) else len(subnets)}
    return {}
