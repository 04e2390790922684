"""Hypothesis profiles for all property tests: `HYPOTHESIS_PROFILE=thorough pytest …` tries thousands."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The machine that runs the tests may be busy: no example is failed for being slow.
settings.register_profile(
    "quick", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("more", settings.get_profile("quick"), max_examples=1500)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=10000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
