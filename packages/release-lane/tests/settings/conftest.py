"""The contracts with AWS on limits (test_limits_of_aws.py) stand on the stage of the local cloud's other contracts."""

from tests.contract.conftest import aws, stage, store_subnets

__all__ = ["aws", "stage", "store_subnets"]
