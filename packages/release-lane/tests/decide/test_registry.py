"""The repository that the artifacts stack has made stays where it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.decide.registry import Registry, check_registry
from release_lane.errors import Refused, Users

pytestmark = pytest.mark.pure
URL = "000000000000.dkr.ecr.us-east-1.amazonaws.com/shop/app"
HERE = Registry(account="000000000000", region="us-east-1", repository="shop/app")


@pytest.mark.parametrize(
    ("url", "read"),
    [
        (URL, HERE),
        ("111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a", Registry(
            account="111111111111", region="us-gov-west-1", repository="a"
        )),
        ("111111111111.dkr-ecr.eu-west-1.on.aws/a/b", Registry(
            account="111111111111", region="eu-west-1", repository="a/b"
        )),
        ("registry.test/shop/app", Registry(account="", region="", repository="shop/app")),
        ("", Registry(account="", region="", repository="")),
    ],
)  # fmt: skip
def test_an_address_says_which_repository_it_is_and_where(url: str, read: Registry) -> None:
    assert Registry.of_url(url) == read


@pytest.mark.parametrize("recorded", [URL, "registry.test/shop/app", ""], ids=["the same", "unknown place", "none"])
def test_the_recorded_repository_is_updated_and_a_first_one_is_made(recorded: str) -> None:
    check_registry(recorded, HERE)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (replace(HERE, repository="shop/images"), "repository from shop/app to shop/images"),
        (replace(HERE, region="eu-west-1"), "aws:region from us-east-1 to eu-west-1"),
        (replace(HERE, account="111111111111"), "account from 000000000000 to 111111111111"),
    ],
    ids=["name", "region", "account"],
)
def test_another_one_is_refused_with_the_setting_and_both_values(wanted: Registry, said: str) -> None:
    with pytest.raises(Refused, match="have their images from") as refused:
        check_registry(URL, wanted)
    assert said in refused.value.what
    assert "new artifacts stack" in refused.value.next_step
    assert refused.value.users is Users.UNTOUCHED
