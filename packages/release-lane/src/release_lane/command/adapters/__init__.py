"""Effects of the command: the engine, git, the smoke checks, the stack files. Each has a Protocol and a fake."""
