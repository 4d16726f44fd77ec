"""A namespace and a project of a test's own, on the cluster that all tests share."""

import secrets
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_cluster import Cluster
from tests.plugins.harness import Project

HEAD = """
import os, pulumi, pulumi_kubernetes as k8s
from pulumi import CustomTimeouts, ResourceOptions

def provider(name, **settings):
    return k8s.Provider(name, kubeconfig=open(os.environ["LAB_KUBECONFIG"]).read(), namespace=NAMESPACE, **settings)

def options(**more):
    return ResourceOptions(provider=P, **more)

def workload(kind, name, *, labels=None, spec=None, pod=None, **fields):
    labels = labels or {"app": name}
    container = {"name": "c", "image": IMAGE, "command": ["sleep", "100000"], **(pod or {})}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}}
    body = {"selector": {"matchLabels": labels}, "template": template, **(spec or {})}
    return kind(name, metadata={"name": name, **fields}, spec=body, opts=O)

NAMESPACE, IMAGE = os.environ["LAB_NAMESPACE"], os.environ["LAB_IMAGE"]
P = provider("p", enable_config_map_mutable=True, enable_secret_mutable=True)
O = options()
"""
"""What every program begins with: the provider `P` with mutable content, options `O` that carry it."""


class Lab:
    """A project whose programs see the namespace.

    Attributes:
        project: the project.
        namespace: the namespace's name.
    """

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.cluster, self.namespace = cluster, namespace
        env = {
            "LAB_KUBECONFIG": str(cluster.kubeconfig),
            "LAB_NAMESPACE": namespace,
            "LAB_IMAGE": cluster.image,
            "KUBECONFIG": str(folder / "none"),  # nothing may come from the surroundings
        }
        self.project = Project(folder, HEAD, env=env)

    def program(self, text: str) -> Project:
        """Replace the program; what every program begins with is put before it."""
        self.project.write(HEAD + textwrap.dedent(text))
        return self.project

    def kubectl(self, *args: str) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl("-n", self.namespace, *args)

    def field(self, what: str, path: str) -> str:
        """A field of an object, by kubectl's JSONPath; empty when there is none."""
        return self.kubectl("get", *what.split("/"), "--ignore-not-found", "-o", f"jsonpath={{{path}}}")


@pytest.fixture
def lab(cluster: Cluster, tmp_path: Path) -> Iterator[Lab]:
    """A lab; its namespace, with all that is in it, goes in the end."""
    namespace = f"contract-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", namespace)
    try:
        yield Lab(cluster, namespace, tmp_path)
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
