"""What is kept of the real provider's answers is what it answers, where this machine has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.kit.serving import Client
from tests.local.standins.real import facts
from tests.local.standins.real.plugin import binary, running

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def provider() -> Iterator[Client]:
    plugin = binary()
    if plugin is None:
        pytest.skip("LEFT OUT: the real AWS provider is not in the cache; `make test-provider` brings it")
    with running(plugin) as client:
        yield client


def test_the_provider_still_says_what_is_kept_of_it(provider: Client) -> None:
    kept, says = facts.kept(), facts.gather(provider)
    assert says.types.keys() == kept.types.keys()
    for token, of in says.types.items():
        assert of == kept.types[token], f"{token}: run the command of {facts.__file__}"
    assert says.functions == kept.functions
