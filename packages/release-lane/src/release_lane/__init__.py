"""Release lane: one container image carried to its users without surprises. Rooms: see docs/architecture.md."""
