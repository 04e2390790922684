"""The smoke checks as a command, run by the gate, the switch and `release smoke`."""
