"""Images: where they come from, and that the same reference means the same bytes tomorrow."""

import re
from typing import NamedTuple

from policies.kit.objects import WORKLOADS, containers
from policies.kit.rule import Context, Finding, Found, Rule, Setting, Severity
from policies.kit.values import Fields

CONTENT_TAG = re.compile(r"[0-9a-f]{12,64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Reference(NamedTuple):
    """An image reference, taken apart: `registry/name:tag@digest`."""

    name: str
    tag: str
    digest: str


def reference(image: str) -> Reference:
    """The parts of a reference, with the registry that the runtime fills in where there is none."""
    rest, _, digest = image.partition("@")
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        name, tag = rest, ""
    host, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in host and ":" not in host and host != "localhost":
        name = f"docker.io/{name}"
    return Reference(name, tag, digest)


def _image(container: Fields) -> str:
    return str(container.get("image") or "")


def immutable(image: Reference, *, content_tags: bool) -> bool:
    """Whether the reference always means the same image."""
    tagged = content_tags and CONTENT_TAG.fullmatch(image.tag) is not None
    return tagged or DIGEST.fullmatch(image.digest) is not None


def _registry(container: Fields, context: Context) -> Found:
    allowed: tuple[str, ...] = context.settings["registries"]
    name = reference(_image(container)).name
    if allowed and not any(name == prefix or name.startswith(f"{prefix}/") for prefix in allowed):
        yield Finding(container.at("image"), f"comes from {name!r}, not from one of {', '.join(allowed)}")


def _latest(container: Fields, _: Context) -> Found:
    image = reference(_image(container))
    if not image.digest and image.tag in ("", "latest"):
        yield Finding(container.at("image"), f"{image.name!r} has no tag but latest, which is another image tomorrow")


def _mutable(container: Fields, context: Context) -> Found:
    image = reference(_image(container))
    if not immutable(image, content_tags=context.settings["content_tags"]):
        yield Finding(container.at("image"), f"{image.name!r} is named by a tag that can be moved")


def _pull_policy(container: Fields, _: Context) -> Found:
    image = reference(_image(container))
    policy = container.get("imagePullPolicy") or ("Always" if image.tag in ("", "latest") else "IfNotPresent")
    if policy == "Never":
        yield Finding(container.at("imagePullPolicy"), "is Never, so a node without the image cannot run the pod")
    elif policy != "Always" and not immutable(image, content_tags=True):
        yield Finding(container.at("imagePullPolicy"), f"is {policy}, so nodes may run different images of one tag")


RULES = (
    Rule(
        id="image-registry",
        title="Images come from registries that somebody answers for",
        severity=Severity.HIGH,
        remediation="push the image to one of the allowed registries",
        kinds=WORKLOADS,
        each=containers,
        check=_registry,
        frameworks=("NSA pod security",),
        settings={"registries": Setting((), "allowed prefixes, as registry.example.com/team; none allows all")},
    ),
    Rule(
        id="image-latest",
        title="An image is named by more than latest",
        severity=Severity.HIGH,
        remediation="give a tag or a digest",
        kinds=WORKLOADS,
        each=containers,
        check=_latest,
        covers=("CKV_K8S_14", "kube-score/container-image-tag"),
    ),
    Rule(
        id="image-immutable",
        title="An image is named by its digest, or by a tag made of its content",
        severity=Severity.MEDIUM,
        remediation="give <name>@sha256:<digest>, or a content tag of 12 hex digits or more",
        kinds=WORKLOADS,
        each=containers,
        check=_mutable,
        covers=("CKV_K8S_43",),
        settings={"content_tags": Setting(True, "whether a tag of 12 to 64 hex digits counts as immutable")},
    ),
    Rule(
        id="image-pull-policy",
        title="Every node runs the same image: a movable tag is pulled always, and no image is pulled never",
        severity=Severity.LOW,
        remediation="set Always for a movable tag, IfNotPresent for an immutable one",
        kinds=WORKLOADS,
        each=containers,
        check=_pull_policy,
        covers=("CKV_K8S_15", "kube-score/container-image-pull-policy"),
    ),
)
