"""The stand-ins take only what the installed packages declare: a program that runs here is one that they know."""

from __future__ import annotations

import pytest
from local_aws.standins import tables
from local_aws.standins.aws.base import AwsResource
from local_aws.standins.aws.door import TAKEN
from local_aws.standins.aws.functions import FUNCTIONS, SECRET_RESULTS
from local_aws.standins.aws.provider import TYPES
from local_aws.standins.docker.image import BUILD, REGISTRY, Image
from local_aws.standins.schema import Table
from tests.local.standins.declared import Declared, declared, declared_function

pytestmark = pytest.mark.pure

EVERY_TYPE = [*TYPES, Image]


@pytest.mark.parametrize("type_", EVERY_TYPE, ids=lambda type_: type_.token)
def test_every_property_is_declared_by_the_package(type_: type[AwsResource | Image]) -> None:
    package = declared(type_.token)
    assert type_.props.keys() <= package.inputs.keys()
    assert type_.outputs <= package.outputs
    also_inputs = {"availabilityZoneId", "logGroupClass", *({"arn"} if type_.token.startswith("aws:ssm") else ())}
    assert not type_.outputs & package.inputs.keys() - also_inputs
    _compare_nested(package, package.inputs, type_.props, type_.token)


def _compare_nested(package: Declared, types: dict[str, str], table: Table, where: str) -> None:
    for name, prop in table.items():
        fields = package.nested(types[name])
        if prop.json:  # a policy document may be given as text or as an object
            continue
        assert (fields is None) == (prop.fields is None), f"{where}.{name}: object or plain value?"
        if prop.fields is not None and fields is not None:
            assert prop.fields.keys() <= fields.keys(), f"{where}.{name}"
            _compare_nested(package, dict(fields), prop.fields, f"{where}.{name}")


@pytest.mark.parametrize("type_", EVERY_TYPE, ids=lambda type_: type_.token)
def test_every_required_property_is_taken(type_: type[AwsResource | Image]) -> None:
    assert declared(type_.token).required <= type_.props.keys()


def test_the_tables_of_an_image_are_those_of_its_build_and_registry() -> None:
    package = declared(Image.token)
    assert BUILD.keys() == package.nested(package.inputs["build"]).keys()  # type: ignore[union-attr]
    assert REGISTRY.keys() == package.nested(package.inputs["registry"]).keys()  # type: ignore[union-attr]


@pytest.mark.parametrize("token", FUNCTIONS)
def test_every_function_is_declared_with_its_arguments(token: str) -> None:
    arguments, results = declared_function(token)
    taken, _ = FUNCTIONS[token]
    assert taken <= arguments
    assert SECRET_RESULTS.get(token, frozenset()) <= results


def test_the_configuration_that_is_taken_is_declared() -> None:
    from tests.local.standins.declared import _classes, _getters, _home

    provider = _getters(_classes(_home("pulumi_aws") / "provider.py")["ProviderArgs"])
    assert TAKEN - {"version"} <= provider.keys()


@pytest.mark.parametrize("type_", EVERY_TYPE, ids=lambda type_: type_.token)
def test_every_type_names_its_sources(type_: type[AwsResource | Image]) -> None:
    package, place, name = type_.token.split(":")
    module = place.partition("/")[0]
    page = f"{package}/api-docs/{'' if module == 'index' else module + '/'}{name.lower()}/"
    assert type_.source.page == f"https://www.pulumi.com/registry/packages/{page}"
    assert type_.source.schema.startswith("https://github.com/")


@pytest.mark.parametrize("type_", EVERY_TYPE, ids=lambda type_: type_.token)
def test_what_the_package_requires_and_documents_as_a_default_is_in_the_table(
    type_: type[AwsResource | Image],
) -> None:
    package = declared(type_.token)
    assert {name for name in package.required if not type_.props[name].required} == set()
    for name, documented in package.defaults.items():
        prop = type_.props.get(name)
        if prop is not None and not prop.computed:
            # no default is the provider's way to say no, and none
            assert documented in (spelled(prop.default), *(("false", "0") if prop.default is None else ())), name


def spelled(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_page_with_all_tables_is_up_to_date() -> None:
    assert tables.PAGE.read_text() == tables.page(), "run: .venv/bin/python -m local_aws.standins.tables"
