"""Effects of the command: the engine, git, the smoke checks, the stack files. A Protocol each, a fake beside it."""
