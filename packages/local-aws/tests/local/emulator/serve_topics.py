"""The emulator with our CloudWatch and ministack's SNS, without Docker. Run by test_topics.py."""

from __future__ import annotations

import os

from local_aws.emulator.__main__ import prepare, serve
from local_aws.emulator.environment import Environment

if __name__ == "__main__":
    prepare(Environment.read(os.environ))  # before ministack is imported
    from local_aws.emulator import cloudwatch
    from local_aws.emulator.cloudwatch.api import handle_request

    serve({"monitoring": handle_request}, [cloudwatch])
