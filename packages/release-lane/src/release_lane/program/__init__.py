"""The Pulumi program. `__main__` reads the settings and builds the stack's role: artifacts or an environment."""
