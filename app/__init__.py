"""The sample service: checksums of whatever is posted. Imports nothing of the rest of the repository."""
