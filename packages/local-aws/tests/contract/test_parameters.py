"""AWS Systems Manager: a parameter that a service reads while it runs."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.contracts import contract

pytestmark = pytest.mark.cloud

API = "https://docs.aws.amazon.com/systems-manager/latest/APIReference"
PROGRAM, SERVICE = "release_lane/program/flags.py", "app/aws.py"


def refusal(aws: Aws, **given: object) -> str:
    with pytest.raises(ClientError) as refused:
        aws.client("ssm").put_parameter(**{"Type": "String", **given})
    return str(refused.value.response["Error"]["Code"])


@contract(
    says="PutParameter creates a parameter, refuses another one of its name (ParameterAlreadyExists), and with "
    "Overwrite gives it another value and the next version.",
    source=f"{API}/API_PutParameter.html",
    otherwise="a flag could not be turned off, or a second stack would take over another one's flags",
    used_by=(PROGRAM,),
)
def test_a_parameter_is_created_once_and_overwritten_by_intent(aws: Aws) -> None:
    ssm, name = aws.client("ssm"), f"/{aws.named('flags')}/flags"
    made = ssm.put_parameter(Name=name, Type="String", Value='{"a":100}', Description="flags", Tags=aws.tags())
    assert made["Version"] == 1
    assert refusal(aws, Name=name, Value="{}") == "ParameterAlreadyExists"
    assert ssm.put_parameter(Name=name, Type="String", Value='{"a":0}', Overwrite=True)["Version"] == 2
    found = ssm.get_parameter(Name=name)["Parameter"]
    assert (found["Name"], found["Type"], found["Value"], found["Version"]) == (name, "String", '{"a":0}', 2)


@contract(
    says="A parameter that does not exist, or was deleted, is ParameterNotFound.",
    source=f"{API}/API_GetParameter.html",
    otherwise="a service could not tell that no flag was ever set from AWS being away",
    used_by=(SERVICE,),
)
def test_a_parameter_that_is_gone_has_a_named_error(aws: Aws) -> None:
    ssm, name = aws.client("ssm"), f"/{aws.named('gone')}/flags"
    ssm.put_parameter(Name=name, Type="String", Value="{}", Tags=aws.tags())
    ssm.delete_parameter(Name=name)
    with pytest.raises(ClientError) as refused:
        ssm.get_parameter(Name=name)
    assert refused.value.response["Error"]["Code"] == "ParameterNotFound"
