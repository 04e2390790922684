"""Stands in for pulumi-resource-aws: the types that this project's program uses, on the local cloud alone."""
