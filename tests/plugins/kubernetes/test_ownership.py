"""Whose fields are ours: what moves to server-side apply, and what stays with others."""

from toolchain.plugins.kubernetes import ownership
from toolchain.plugins.kubernetes.objects import Object


def entry(manager: str, operation: str, *fields: str, **more: str) -> Object:
    return {"manager": manager, "operation": operation, "fieldsV1": {f"f:{name}": {} for name in fields}, **more}


def managed(*entries: Object) -> Object:
    return {"metadata": {"managedFields": list(entries)}}


def test_what_we_created_and_what_kubectl_changed_becomes_applied_by_us() -> None:
    other = entry("controller", "Update", "x")
    status = entry("me", "Update", "s", subresource="status")
    live = managed(entry("me", "Update", "a"), other, entry("kubectl-patch", "Update", "b"), status)
    assert ownership.migrated(live, "me") == [other, status, entry("me", "Apply", "a", "b")]


def test_an_entry_that_is_there_takes_the_fields_in() -> None:
    live = managed(entry("me", "Apply", "a"), entry("pulumi-kubernetes", "Update", "b"))
    assert ownership.migrated(live, "me") == [entry("me", "Apply", "a", "b")]


def test_what_we_applied_under_another_name_is_ours() -> None:
    live = managed(entry("old", "Apply", "a"), entry("new", "Apply", "b"), entry("x", "Apply", "c"))
    assert ownership.migrated(live, "new", "old") == [entry("new", "Apply", "b", "a"), entry("x", "Apply", "c")]
    assert ownership.migrated(live, "new", "new") is None


def test_nothing_moves_when_everything_is_applied() -> None:
    assert ownership.migrated(managed(entry("me", "Apply", "a"), entry("you", "Apply", "b")), "me") is None
