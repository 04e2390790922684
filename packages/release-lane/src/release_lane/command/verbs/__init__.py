"""The verbs of the command `release`, a file each."""
