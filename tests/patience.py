"""How long tests wait for what must come true."""

PATIENCE = 150.0
"""Seconds until a test gives up: far beyond what anything takes, also where all rings share two busy processors."""

ANSWER_WITHIN = 30.0
"""Seconds that a user of a story waits for an answer: containers that starve on busy processors answer late, and that
is no fault of a release. What is lost is lost after any time."""
