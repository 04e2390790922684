"""The emulator with our ElastiCache. Run by test_caches.py."""

from __future__ import annotations

import os

from local_aws.emulator.__main__ import prepare, serve
from local_aws.emulator.environment import Environment

if __name__ == "__main__":
    prepare(Environment.read(os.environ))  # before ministack is imported
    from local_aws.emulator import acm, elasticache
    from local_aws.emulator.elasticache.api import handle_request

    serve({"elasticache": handle_request}, [acm, elasticache])
