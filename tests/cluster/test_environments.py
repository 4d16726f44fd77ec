"""The manifests of staging and prod, as an API server takes them: fields, values and Pod Security."""

import subprocess
from collections.abc import Iterator

import pytest
import yaml

from tests.fix_cluster import Cluster
from toolchain.render.render import files

pytestmark = pytest.mark.cluster

NAMESPACE = "shape"


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace to check in: the API server looks at no object of a namespace that is not there."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE)


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_every_object_of_a_stack_is_taken_by_the_api_server(stack: str, cluster: Cluster, namespace: str) -> None:
    manifests = [yaml.safe_load(text) for text in files(stack).values()]
    inside = [it for it in manifests if it["kind"] != "Namespace"]
    assert {"HorizontalPodAutoscaler", "Ingress", "StatefulSet"} <= {it["kind"] for it in inside}
    for it in inside:
        it["metadata"]["namespace"] = namespace
        for subject in it.get("subjects", ()):
            subject["namespace"] = namespace
    done = subprocess.run(
        ["kubectl", "create", "--dry-run=server", "-f", "-"],
        input=yaml.safe_dump_all(inside), env=dict(cluster.env), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == len(inside)
