"""The contracts themselves: complete, with sources, and printed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from tests.contract.account.world import SERVICES
from tests.contract.contracts import ELSEWHERE, ROOT, Chapter, Contract, all_contracts, chapters, exists
from tests.contract.page import PAGE, render
from tests.contract.untested import UNTESTED

pytestmark = pytest.mark.pure

CONTRACTS = [*all_contracts(), *UNTESTED]
SOURCE = re.compile(r"https://docs\.aws\.amazon\.com/[\w./-]+\.html(#[\w-]+)?")
RELYING = [path for folder in ("packages/release-lane/src", "infra", "app") for path in (ROOT / folder).rglob("*.py")]
CONTRACT = sorted([*Path(__file__).parent.glob("*.py"), *ELSEWHERE])


def test_the_page_is_what_the_contracts_say() -> None:
    assert PAGE.read_text() == render(chapters(), UNTESTED), "run: make contract"


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: Path(chapter.file).stem)
def test_every_test_against_aws_carries_a_contract(chapter: Chapter) -> None:
    assert chapter.contracts
    assert not chapter.bare


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.test or contract.says[:40])
def test_a_contract_has_all_its_parts(contract: Contract) -> None:
    assert SOURCE.fullmatch(contract.source), f"{contract.source} is no page of AWS's documentation"
    assert contract.says.endswith(".")
    assert contract.otherwise
    assert not contract.otherwise.endswith(".")
    assert contract.used_by
    assert [file for file in contract.used_by if not exists(file)] == []
    assert "|" not in contract.says + contract.otherwise + contract.note, "it is a cell of a table"


def test_each_behaviour_is_stated_once() -> None:
    said = [contract.says for contract in CONTRACTS]
    assert sorted(set(said)) == sorted(said)


# ---- nothing is relied on in silence


def services(files: list[Path]) -> Iterator[str]:
    """Of which these files make a client: `client(access, "ecs")`, `ask("ecs")`."""
    known = botocore.session.get_session().get_available_services()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case (
                    ast.Call(func=ast.Name(id="client" | "ask"), args=[*_, ast.Constant(value=str(name))])
                    | ast.Call(func=ast.Attribute(attr="client"), args=[ast.Constant(value=str(name)), *_])
                ) if name in known:
                    yield name


def operations() -> set[str]:
    """All operations of the services that are relied on, as boto3's clients name them."""
    session = botocore.session.get_session()
    models = [session.get_service_model(service) for service in set(services(RELYING))]
    return {xform_name(name) for model in models for name in model.operation_names}


def called(files: list[Path]) -> Iterator[str]:
    """Operations of AWS that these files call, by a method's name or as a paginator's."""
    known = operations()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(attr="get_paginator"), args=[ast.Constant(value=str(name)), *_]):
                    yield name
                case ast.Call(func=ast.Attribute(attr=name)) if name in known:
                    yield name


def test_every_call_to_aws_is_tried_by_a_contract() -> None:
    assert {"ecs", "elbv2", "rds", "elasticache", "ec2", "cloudtrail"} <= {*services(RELYING)}, "or it would see less"
    relying, tried = set(called(RELYING)), set(called(CONTRACT))
    assert {"describe_rules", "list_tasks", "modify_rule", "describe_db_instances"} <= relying, (
        "or it would see nothing"
    )
    assert not relying - tried, (
        "write a contract in packages/local-aws/tests/contract that says what is expected of these calls"
    )


def test_aws_check_knows_where_each_service_of_the_contract_would_be_asked() -> None:
    """It refuses where a settings file leads one of them elsewhere."""
    assert {*services(CONTRACT)} - {*SERVICES} == set()
