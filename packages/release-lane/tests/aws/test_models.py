"""Clients whose description is found without a list of all services."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from botocore.exceptions import DataNotFoundError
from release_lane.aws.models import direct_session

pytestmark = pytest.mark.pure


def session() -> boto3.session.Session:
    return boto3.session.Session("key", "secret", region_name="eu-central-1", botocore_session=direct_session())


@pytest.mark.parametrize("service", ["cloudwatch", "ecr", "ecs", "elbv2", "logs", "sts"])
def test_clients_are_those_that_botocore_makes(service: str) -> None:
    ordinary = boto3.session.Session("key", "secret", region_name="eu-central-1").client(service)  # type: ignore[call-overload]
    ours = session().client(service)  # type: ignore[call-overload]
    assert ours.meta.service_model.operation_names == ordinary.meta.service_model.operation_names
    assert ours.meta.endpoint_url == ordinary.meta.endpoint_url


def test_a_client_has_its_paginators() -> None:
    assert session().client("ecs").can_paginate("list_tasks")


def test_a_service_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DataNotFoundError):
        session().client("no-such-service")  # type: ignore[call-overload]


def test_no_folder_of_another_service_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    seen: list[str] = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: (seen.append(str(path)), listdir(path))[1])
    session().client("ecs")
    assert {Path(path).name for path in seen} == {"ecs"}


def test_descriptions_of_ones_own_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert str(tmp_path) in direct_session().get_component("data_loader").search_paths
