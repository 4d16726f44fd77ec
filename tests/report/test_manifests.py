"""The plan without an API: two sets of manifests, and the base revision from git."""

import copy
from typing import Any

import pytest

from components.kit.images import content_tag
from toolchain.kit.console import ToolError
from toolchain.render.render import SNAPSHOTS
from toolchain.report import build, manifests
from toolchain.report.manifest_policies import checked
from toolchain.report.model import Level, Report

Objects = dict[str, Any]


@pytest.fixture(scope="module")
def prod() -> Objects:
    return manifests.rendered("prod")


def changed(prod: Objects, name: str, path: str, value: object) -> Objects:
    after = copy.deepcopy(prod)
    *parents, last = path.split("/")
    holder = after[name]
    for key in parents:
        holder = holder[int(key)] if isinstance(holder, list) else holder[key]
    holder[last] = value
    return after


def test_the_same_manifests_make_no_change(prod: Objects) -> None:
    steps = manifests.compare(prod, prod)
    assert build.changes(steps) == ()
    assert build.unchanged(steps) == len(prod)


def test_an_immutable_field_is_a_replacement(prod: Objects) -> None:
    path = "spec/volumeClaimTemplates/0/spec/resources/requests/storage"
    [change] = build.changes(manifests.compare(prod, changed(prod, "statefulset-postgres.yaml", path, "250Gi")))
    assert (change.object, change.operation, change.blocks) == ("StatefulSet/postgres", "replace", True)
    assert [field.replaces for field in change.fields] == [True]


def test_a_field_that_may_change_is_an_update(prod: Objects) -> None:
    [change] = build.changes(manifests.compare(prod, changed(prod, "deployment-trading-api.yaml", "spec/replicas", 9)))
    assert (change.operation, change.level) == ("update", Level.SAFE)


def test_an_object_that_is_gone_is_a_deletion(prod: Objects) -> None:
    after = {name: manifest for name, manifest in prod.items() if name != "statefulset-redis.yaml"}
    [change] = build.changes(manifests.compare(prod, after))
    assert (change.object, change.operation, change.blocks) == ("StatefulSet/redis", "delete", True)


def test_a_new_stack_is_new_altogether(prod: Objects) -> None:
    assert {change.level for change in build.changes(manifests.compare({}, prod))} == {Level.SAFE}


@pytest.mark.parametrize(("epoch", "blocked"), [("2", 0), ("3", 2)])
def test_the_epoch_of_a_credential_tells_which_passwords_are_replaced(prod: Objects, epoch: str, blocked: int) -> None:
    after = copy.deepcopy(prod)
    after["secret-credentials-api.yaml"]["metadata"]["annotations"]["trading-platform/credential-epoch"] = epoch
    found = build.changes(manifests.compare(prod, after))
    assert sum(change.blocks for change in found) == blocked
    assert {change.object for change in found} >= {"Secret/credentials-api", "RandomPassword/credentials-api-a"}
    assert {change.component for change in found if "Password" in change.object} == {"credentials"}


def test_the_base_has_the_tags_that_its_files_make() -> None:
    committed = manifests.committed("prod", "HEAD")
    assert committed.keys() == {path.name for path in (SNAPSHOTS / "prod").glob("*.yaml")}
    image = committed["deployment-trading-api.yaml"]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.rpartition(":")[2] != "[tag]"
    assert len(image.rpartition(":")[2]) == len(content_tag("trading"))


def test_a_stack_that_the_base_does_not_know_has_no_manifests() -> None:
    assert manifests.committed("qa", "HEAD") == {}


def test_an_unknown_revision_is_named() -> None:
    with pytest.raises(ToolError, match=r"--base = 'no-such-thing': git knows no such revision; fetch it, or name"):
        manifests.base_revision("no-such-thing")
    assert len(manifests.base_revision("HEAD")) == 40
    assert len(manifests.base_revision(None)) == 40


def test_policies_over_manifests_are_read_from_the_packs_json() -> None:
    one = {"severity": "high", "object": "Service trading/api", "remediation": "name it", "enforcement": "mandatory"}
    base = one | {"url": "file:///x/docs/policies.md#p", "field": "spec", "problem": "no name", "source": "f"}
    results = [
        base | {"rule": f"r-{outcome}", "outcome": outcome} for outcome in ("fail", "waived", "unknown", "broken")
    ]
    made = checked(
        Report(stack="prod", source="manifests", basis=""), {"results": results, "checks": 9, "notChecked": ["protect"]}
    )
    assert [(f.policy, f.mandatory, f.link) for f in made.findings] == [
        ("r-fail", True, "docs/policies.md#p"),
        ("r-waived", False, "docs/policies.md#p"),
    ]
    assert made.findings[0].objects == ("Service/api",)
    assert [finding.policy for finding in made.unrun] == ["r-broken", "r-unknown"]
    assert made.checked == "9 checks"
    assert made.warnings == ("1 policy looked at nothing, as only Pulumi knows it: protect",)
