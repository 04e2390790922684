"""What a run is said to cost and to take."""

from __future__ import annotations

import pytest
from tests.contract.account.prices import PRICES, SET_UP_AND_CLEAN_UP, STORES, Estimate, estimate
from tests.contract.contracts import Contract, all_contracts

pytestmark = pytest.mark.pure


def contract(minutes: float) -> Contract:
    return Contract(says="x.", source="s", otherwise="o", used_by=("u",), minutes=minutes)


def test_time_is_the_sum_of_all_contracts_and_what_stands_around_them() -> None:
    assert estimate([contract(2), contract(3.5)]).minutes == SET_UP_AND_CLEAN_UP + 5.5


def test_a_load_balancer_is_paid_by_the_hour_that_has_begun() -> None:
    """0.0225 for each begun hour, the rest by time."""
    for minutes, hours in ((59, 1), (61, 2)):
        parts = Estimate(minutes).parts
        assert parts[0][1] == pytest.approx(0.0225 * hours)
        assert parts[1][1] == pytest.approx(0.008 * minutes / 60)


def test_an_hour_costs_what_its_parts_cost() -> None:
    """0.0225 + 0.008 + 1.5 vCPU x 0.04048 + 3 GB x 0.004445 + 8 addresses x 0.005, half an
    hour of a database and of a cache, and a cent."""
    stores = 0.5 * (0.016 + 0.0031507 + 0.0128)
    assert Estimate(60).dollars == pytest.approx(0.0225 + 0.008 + 0.06072 + 0.013335 + 0.04 + stores + 0.01, abs=1e-6)


def test_every_price_names_the_page_that_it_is_from() -> None:
    assert {price.source.partition("/pricing")[0] for price in (*PRICES, *STORES)} <= {
        "https://aws.amazon.com/elasticloadbalancing",
        "https://aws.amazon.com/fargate",
        "https://aws.amazon.com/vpc",
        "https://aws.amazon.com/rds",
        "https://aws.amazon.com/elasticache",
    }
    text = "\n".join(Estimate(60).lines())
    assert "https://aws.amazon.com/fargate/pricing/" in text
    assert "they were not measured" in text


def test_the_whole_suite_is_a_matter_of_hours_and_cents() -> None:
    """A slip in a contract's minutes would show here."""
    whole = estimate(all_contracts())
    assert 60 < whole.minutes < 240
    assert whole.dollars < 2
