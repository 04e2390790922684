"""The template is run as the engine runs it, against mocks: see tests/program of packages/release-lane."""

from tests.program.conftest import in_the_program, loop

__all__ = ["in_the_program", "loop"]
