"""Checks by other people's tools, each pinned: of workflows, scripts, manifests, packages, secrets and images."""
