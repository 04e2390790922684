"""Where an environment is asked, by which name, and at which load balancer."""

from __future__ import annotations

import pytest
from release_lane.record.endpoint import Endpoint, of_colour, production, recorded_endpoint
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour

pytestmark = pytest.mark.pure
ACCESS = Access(region="us-east-1", account="000000000000")
BALANCER = "shop-1.elb.amazonaws.com"


def names(domain: str = "") -> Names:
    return Names.of_stack("shop", "production", access=ACCESS, domain=domain)


def test_plain_http_is_asked_by_the_name_of_the_load_balancer() -> None:
    assert production(names(), BALANCER) == Endpoint(f"http://{BALANCER}")
    assert of_colour(names(), BALANCER, Colour.GREEN) == Endpoint(f"http://{BALANCER}:9002")


def test_https_is_asked_by_the_public_name_at_the_load_balancer_that_is_meant() -> None:
    https = names("shop.example.com")
    assert production(https, BALANCER) == Endpoint("https://shop.example.com", BALANCER)
    assert of_colour(https, BALANCER, Colour.BLUE) == Endpoint("https://shop.example.com:9001", BALANCER)
    assert production(https, BALANCER).options() == ["--url", "https://shop.example.com", "--connect-to", BALANCER]


@pytest.mark.parametrize(
    ("outputs", "endpoint"),
    [
        ({}, Endpoint("")),
        ({"url": "http://lb", "loadBalancer": "lb"}, Endpoint("http://lb")),
        ({"url": "http://lb/"}, Endpoint("http://lb")),
        ({"url": "https://shop.example.com", "loadBalancer": "lb"}, Endpoint("https://shop.example.com", "lb")),
    ],
    ids=["no release yet", "plain", "of an earlier version", "https"],
)
def test_the_command_reads_it_from_the_outputs(outputs: dict[str, str], endpoint: Endpoint) -> None:
    assert recorded_endpoint(outputs) == endpoint


def test_names_of_an_earlier_version_are_of_plain_http_and_stay_as_they_are() -> None:
    assert "domain" not in names().as_dict()
    assert Names.from_dict(names().as_dict()) == names()
    assert names().users_port == 80
    https = names("shop.example.com")
    assert Names.from_dict(https.as_dict()) == https
    assert https.users_port == 443
