"""`make demo`: a release goes to staging and production on this machine, fails, is refused, and is undone."""
