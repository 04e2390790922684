"""Signals judged: does a colour run what was asked for, and does a release do well? Pure."""
