"""Which certificates a browser would refuse."""

from __future__ import annotations

import pytest
from release_lane.record.certificate import Certificate

pytestmark = pytest.mark.pure
NOW = 1_000.0


def problem(domain: str = "shop.example.com", **over: object) -> str:
    given = {"status": "ISSUED", "names": ("shop.example.com",), "ends": NOW + 1, **over}
    return Certificate(**given).problem(domain, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [("shop.example.com",), ("example.com", "*.example.com"), ("SHOP.example.com",)])
def test_a_certificate_of_the_name_is_fit(names: tuple[str, ...]) -> None:
    assert problem(names=names) == ""


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"status": "", "names": (), "ends": 0.0}, "does not exist in this account and region"),
        ({"ends": NOW - 1}, "expired"),
        ({"status": "EXPIRED"}, "expired"),
        ({"status": "PENDING_VALIDATION"}, "not issued (ACM says PENDING_VALIDATION)"),
        ({"names": ("other.example.com",)}, "for other.example.com, not for shop.example.com"),
        ({"names": ("*.example.com",), "domain": "a.shop.example.com"}, "not for a.shop.example.com"),
        ({"names": ("*.example.com",), "domain": "example.com"}, "not for example.com"),
        ({"names": ()}, "for no name"),
    ],
    ids=str,
)
def test_an_unfit_one_says_why(over: dict[str, object], said: str) -> None:
    assert said in problem(**over)  # type: ignore[arg-type]
