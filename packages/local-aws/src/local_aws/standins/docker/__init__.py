"""Stands in for pulumi-resource-docker: its `Image`, built and pushed by the docker command."""
