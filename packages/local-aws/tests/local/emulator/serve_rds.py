"""The emulator with our RDS. Run by test_databases.py."""

from __future__ import annotations

import os

from local_aws.emulator.__main__ import prepare, serve
from local_aws.emulator.environment import Environment

if __name__ == "__main__":
    prepare(Environment.read(os.environ))  # before ministack is imported
    from local_aws.emulator import rds
    from local_aws.emulator.rds.api import handle_request

    serve({"rds": handle_request}, [rds])
