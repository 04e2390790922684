"""The sample service: checksums of texts that are posted. Imports nothing of the rest of the repository."""
