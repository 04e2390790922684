"""Decisions: values in, one decision out. Pure."""
