"""How long tests wait for what must come true."""

PATIENCE = 150.0
"""Seconds until a test gives up: far beyond what anything takes, also where all rings share two busy processors."""
