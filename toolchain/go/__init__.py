"""Pulumi, Kubernetes and CoreDNS built from pinned Go modules, each once per content, into one folder of programs."""

from toolchain.go.build import ensure

__all__ = ["ensure"]
