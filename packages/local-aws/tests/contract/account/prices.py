"""What a run may cost, and how long it may take. Estimates: it has not run yet.

Prices of us-east-1 in US dollars, as of March 2026; other regions are some 10 to 30 percent dearer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.contract.contracts import Contract

AS_OF = "March 2026, us-east-1"
SET_UP_AND_CLEAN_UP = 15.0
"""Minutes: a load balancer takes some to be active, and its addresses some more to be given back."""

TASKS_AT_ONCE = 6
"""Fargate tasks that run at the same time on average: two actors, two services, and what has not ended yet."""


@dataclass(frozen=True)
class Price:
    """US dollars an hour for each of `many`."""

    what: str
    an_hour: float
    many: float
    source: str

    def of(self, hours: float) -> float:
        """For so many hours."""
        return self.an_hour * self.many * hours


BALANCER = Price("Application Load Balancer", 0.0225, 1, "https://aws.amazon.com/elasticloadbalancing/pricing/")
PRICES = (
    Price("its capacity units", 0.008, 1, "https://aws.amazon.com/elasticloadbalancing/pricing/"),
    Price("Fargate, vCPU", 0.04048, 0.25 * TASKS_AT_ONCE, "https://aws.amazon.com/fargate/pricing/"),
    Price("Fargate, GB of memory", 0.004445, 0.5 * TASKS_AT_ONCE, "https://aws.amazon.com/fargate/pricing/"),
    Price("public IPv4 addresses", 0.005, 2 + TASKS_AT_ONCE, "https://aws.amazon.com/vpc/pricing/"),
)
STORES = (
    Price("RDS, db.t4g.micro and 20 GB", 0.016 + 20 * 0.115 / 730, 0.5, "https://aws.amazon.com/rds/pricing/"),
    Price("ElastiCache for Valkey, cache.t4g.micro", 0.0128, 0.5, "https://aws.amazon.com/elasticache/pricing/"),
)
"""They are there for a part of the run."""
THE_REST = 0.01
"""US dollars: registry, logs, secrets, parameters and the bucket hold next to nothing for an hour."""


@dataclass(frozen=True)
class Estimate:
    """Of one run."""

    minutes: float

    @property
    def parts(self) -> list[tuple[Price, float]]:
        """US dollars for each; AWS charges a load balancer by the hour that has begun."""
        hours = self.minutes / 60
        begun = float(-(-self.minutes // 60))
        return [(BALANCER, BALANCER.of(begun)), *((price, price.of(hours)) for price in (*PRICES, *STORES))]

    @property
    def dollars(self) -> float:
        """All together."""
        return THE_REST + sum(cost for _, cost in self.parts)

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"Time: about {self.minutes:.0f} minutes. Cost: about {self.dollars:.2f} US dollars ({AS_OF}):",
            *(f"  {cost:.3f}  {price.what} ({price.source})" for price, cost in self.parts),
            f"  {THE_REST:.3f}  registry, logs, secrets, bucket",
            "Both are estimates from documented prices; they were not measured.",
        ]


def estimate(contracts: Iterable[Contract]) -> Estimate:
    """For these contracts, one after the other."""
    return Estimate(SET_UP_AND_CLEAN_UP + sum(contract.minutes for contract in contracts))
