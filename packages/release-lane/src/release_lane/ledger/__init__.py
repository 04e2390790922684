"""The ledger's stores, for gates and command: a folder, an S3 bucket, and one in memory for tests."""
