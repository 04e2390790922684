"""The stand-ins' tables say what the real provider says, or name the difference.

`real/facts.json` keeps what the provider answered, so that this needs no provider. That it still answers so is tested
in real/; the command of real/facts.py asks it anew.
"""

from __future__ import annotations

import pytest
from local_aws.standins.aws.base import AwsResource
from local_aws.standins.aws.functions import FUNCTIONS, SECRET_RESULTS
from local_aws.standins.aws.provider import TYPES
from tests.local.standins.real.compare import admitted, differences
from tests.local.standins.real.facts import kept

pytestmark = pytest.mark.pure

every_type = pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.token)


@every_type
def test_the_table_says_of_each_property_what_the_provider_says(type_: type[AwsResource]) -> None:
    assert differences(type_, kept().types[type_.token]) == admitted(type_)


@every_type
def test_every_output_of_the_provider_is_given_or_named_as_not_given(type_: type[AwsResource]) -> None:
    facts = kept().types[type_.token]
    outputs = {path for path, fact in facts.items() if "output" in fact["is"] and "." not in path}
    tags_all = {"tagsAll"} if "tags" in type_.props else set()
    also_inputs = type_.outputs - outputs
    assert outputs == (type_.outputs - also_inputs) | type_.not_given | (tags_all & outputs)
    assert {name for name in also_inputs if "computed" not in facts[name]["is"]} == set()
    assert tags_all <= facts.keys()
    assert not type_.outputs & type_.not_given


@pytest.mark.parametrize("token", FUNCTIONS)
def test_a_function_takes_arguments_of_the_provider_and_keeps_its_secrets(token: str) -> None:
    taken, _ = FUNCTIONS[token]
    facts = kept().functions[token]
    assert taken <= {*facts["arguments"]}
    assert SECRET_RESULTS.get(token, frozenset()) == {*facts["secret"]}
