"""Volumes that several components mount: claims, scratch space, credentials."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pulumi_kubernetes.core.v1 import (
    EmptyDirVolumeSourceArgs,
    PersistentVolumeClaimArgs,
    PersistentVolumeClaimSpecArgs,
    SecretVolumeSourceArgs,
    VolumeArgs,
    VolumeMountArgs,
    VolumeResourceRequirementsArgs,
)

from components.kit.metadata import metadata
from components.kit.quantities import gib, mib

CREDENTIALS_DIR = "/credentials"


class Mounted(NamedTuple):
    """Volumes of a pod and the mounts of them in a container."""

    volumes: list[VolumeArgs]
    mounts: list[VolumeMountArgs]


def credential_volumes(kinds: Iterable[str], secret_names: Mapping[str, str]) -> Mounted:
    """Mount each kind's Secret as a folder `/credentials/<kind>`, readable by the pod's group only.

    Whole folders, never `subPath`: a subPath mount is a copy that no rotation reaches. `secret_names` are the plain
    names that the credentials component gives out, so a pod template never depends on a secret value.

    Raises:
        KeyError: a kind that `secret_names` does not have.
    """
    chosen = list(kinds)
    return Mounted(
        volumes=[
            VolumeArgs(
                name=f"credentials-{kind}",
                # 0440, the pod's fsGroup reads it
                secret=SecretVolumeSourceArgs(secret_name=secret_names[kind], default_mode=0o440),
            )
            for kind in chosen
        ],
        mounts=[
            VolumeMountArgs(name=f"credentials-{kind}", mount_path=f"{CREDENTIALS_DIR}/{kind}", read_only=True)
            for kind in chosen
        ],
    )


def scratch(name: str, path: str, *, limit_mib: int, in_memory: bool = False) -> Mounted:
    """An empty folder that lives as long as the pod; `in_memory` counts against the pod's memory."""
    return Mounted(
        volumes=[
            VolumeArgs(
                name=name,
                empty_dir=EmptyDirVolumeSourceArgs(medium="Memory" if in_memory else None, size_limit=mib(limit_mib)),
            )
        ],
        mounts=[VolumeMountArgs(name=name, mount_path=path)],
    )


def claim_template(
    name: str, *, storage_gib: int, storage_class: str | None, labels: Mapping[str, str]
) -> PersistentVolumeClaimArgs:
    """A StatefulSet's claim for one volume a member; `storage_class` None asks for the cluster's default class."""
    return PersistentVolumeClaimArgs(
        api_version="v1",
        kind="PersistentVolumeClaim",
        metadata=metadata(name, None, labels),
        spec=PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            storage_class_name=storage_class,
            resources=VolumeResourceRequirementsArgs(requests={"storage": gib(storage_gib)}),
        ),
    )
