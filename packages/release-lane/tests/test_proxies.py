"""Which addresses never go through a proxy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.proxies import LOOPBACK, direct

pytestmark = pytest.mark.pure

NAMES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
HERE = ",".join(LOOPBACK)


def test_without_a_proxy_nothing_is_added() -> None:
    assert direct({"no_proxy": "internal", "http_proxy": ""}) == {}


@pytest.mark.parametrize("name", [*NAMES, *map(str.upper, NAMES)])
def test_with_any_proxy_this_machine_is_named(name: str) -> None:
    assert direct({name: "http://proxy:3128"}) == {"no_proxy": HERE, "NO_PROXY": HERE, "no_grpc_proxy": HERE}


def test_what_was_named_stays_in_whichever_case_it_was() -> None:
    lower, upper = {"no_proxy": ".corp, 10.0.0.7"}, {"NO_PROXY": ".corp,10.0.0.7"}
    wanted = f".corp,10.0.0.7,{HERE}"
    for given_ in (lower, upper):
        assert set(direct({"HTTP_PROXY": "p", **given_}).values()) == {wanted}
    both = direct({"HTTP_PROXY": "p", "no_proxy": "a", "NO_PROXY": "b"})
    assert (both["no_proxy"], both["NO_PROXY"]) == (f"a,{HERE}", f"b,{HERE}")


def test_everything_stays_everything() -> None:
    """`*` counts only alone; gRPC does not know it."""
    assert direct({"http_proxy": "p", "no_proxy": "*"}) == {
        "no_proxy": "*", "NO_PROXY": "*", "no_grpc_proxy": f"*,{HERE}"
    }  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "no_proxy", "NO_PROXY", "no_grpc_proxy", "HTTP_PROXY"]),
        st.sampled_from(["", "*", "a", "a, b", "127.0.0.1", "localhost,c", " ", ","]),
    )
)
def test_a_process_below_adds_nothing_more(environ: dict[str, str]) -> None:
    once = {**environ, **direct(environ)}
    assert {**once, **direct(once)} == once
