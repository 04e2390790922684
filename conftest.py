"""Hypothesis profiles for all property tests, and Ctrl-C as a terminal gives it.

An ordinary run always tries the same examples; `HYPOTHESIS_PROFILE=thorough pytest …` tries thousands of new ones.
"""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

from hypothesis import HealthCheck, settings

import tests

ROOT = Path(__file__).resolve().parent
HOMES = (ROOT, *(ROOT / "packages" / name for name in ("release-lane", "provider-kit", "local-aws")))
"""Folders with a `tests` folder. Together these are the namespace package `tests`; it has to be imported here, before
pytest imports the first test file."""

assert {Path(each).parent for each in tests.__path__} >= set(HOMES), tests.__path__
# For processes that tests start as `python -m tests.…`.
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, HOMES))

# The machine that runs the tests may be busy: no example is failed for being slow.
settings.register_profile(
    "quick",
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
    derandomize=True,
)
settings.register_profile("more", settings.get_profile("quick"), max_examples=1500, derandomize=False)
settings.register_profile("thorough", settings.get_profile("more"), max_examples=10000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: looking through it for garbage takes a quarter of all tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it puts in the background (`&`) with SIGINT ignored, and children inherit that: every test
    # that interrupts something would hang.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # `nohup` does the same with SIGHUP.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
