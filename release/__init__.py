"""Release lane: the decisions (pure modules of this package), their effects (`adapters`), and the command (`cli`)."""
