"""The volume provisioner of StorageClass `local`: a folder per volume on the node that the scheduler has chosen.

Run as `python -m toolchain.cluster.provisioner <settings.json>` with `{"volumes": {"<node>": "<folder>"}}`: where each
node's volumes are from this process's point of view. Pods see them under `VOLUMES` on their node.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from toolchain.cluster import plan
from toolchain.cluster.api import Api, ApiError, Object
from toolchain.kit.console import say

NAME = "trading-platform/local"
STORAGE_CLASS = "local"
VOLUMES = plan.INSIDE / "volumes"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
CLAIMS = "/api/v1/persistentvolumeclaims"
PERSISTENT_VOLUMES = "/api/v1/persistentvolumes"
WATCH_S = 300


def wanted_volume(claim: Object) -> Object | None:
    """The PersistentVolume that a claim waits for, or None when it is not ours to make or not yet."""
    metadata, spec = claim["metadata"], claim["spec"]
    node = metadata.get("annotations", {}).get(SELECTED_NODE)
    ours = spec.get("storageClassName") == STORAGE_CLASS and not spec.get("volumeName")
    if not ours or node not in plan.NODES or metadata.get("deletionTimestamp"):
        return None
    name = f"pvc-{metadata['uid']}"
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: NAME}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": str(VOLUMES / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            "claimRef": reference,
        },
    }


def node_of(volume: Object) -> str:
    """The node that a volume of ours is on."""
    [term] = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    node: str = term["matchExpressions"][0]["values"][0]
    return node


def to_delete(volume: Object) -> bool:
    """Whether a volume is ours, released by its claim, and to be deleted then."""
    return (
        volume["metadata"].get("annotations", {}).get(PROVISIONED_BY) == NAME
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        and volume.get("status", {}).get("phase") == "Released"
        and not volume["metadata"].get("deletionTimestamp")
    )


class Provisioner:
    """Makes and deletes the volumes of the class.

    Args:
        api: the API server, as the provisioner's own user.
        volumes: folder of each node's volumes.
    """

    def __init__(self, api: Api, volumes: Mapping[str, Path]) -> None:
        self.api, self.volumes = api, volumes

    def folder(self, volume: Object) -> Path:
        """Where a volume's files are. Raises ValueError for a name that no volume of ours has."""
        name: str = volume["metadata"]["name"]
        if not name.startswith("pvc-") or "/" in name:
            raise ValueError(f"volume {name!r}: not a name that the provisioner gives")
        return self.volumes[node_of(volume)] / name

    def on_claim(self, claim: Object) -> None:
        """Make the volume that a claim waits for."""
        volume = wanted_volume(claim)
        if volume is None:
            return
        folder = self.folder(volume)
        if claim["spec"].get("volumeMode", "Filesystem") != "Filesystem":
            say(f"{claim['metadata']['name']}: volumeMode Block is not provided by StorageClass {STORAGE_CLASS}")
            return
        folder.mkdir(parents=True, exist_ok=True)
        # Pods run under many users; whoever sets fsGroup narrows this. The folders above are root's alone.
        folder.chmod(0o777)
        try:
            self.api.call("POST", PERSISTENT_VOLUMES, volume)
        except ApiError as error:
            if error.status != 409:  # it is there already
                raise
            return
        say(f"made {folder}")

    def on_volume(self, volume: Object) -> None:
        """Delete a released volume: its files first, then the object."""
        if not to_delete(volume):
            return
        folder = self.folder(volume)
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise OSError(f"{folder}: cannot be removed")
        try:
            self.api.call("DELETE", f"{PERSISTENT_VOLUMES}/{volume['metadata']['name']}")
        except ApiError as error:
            if error.status != 404:
                raise
        say(f"removed {folder}")

    def follow(self, path: str, handle: Callable[[Object], None]) -> None:
        """List a collection, handle each object, then each change, for ever; start over when the API server errs."""
        while True:
            try:
                listed = self.api.get(path)
                for item in listed["items"]:
                    handle(item)
                version = listed["metadata"]["resourceVersion"]
                while True:
                    for kind, item in self.api.watch(path, version, WATCH_S):
                        version = item["metadata"]["resourceVersion"]
                        if kind in ("ADDED", "MODIFIED"):
                            handle(item)
            except (OSError, ApiError) as error:
                say(f"{path}: {error}")
                time.sleep(1)


def main() -> None:
    """Follow claims and volumes, each in a thread of its own; if one of them fails, the process ends."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    volumes = {node: Path(folder) for node, folder in settings["volumes"].items()}
    api = Api(plan.CONTROL_IP, plan.API_PORT, plan.INSIDE / "pki", "provisioner")
    provisioner = Provisioner(api, volumes)
    pool = ThreadPoolExecutor(2)
    followers = (
        pool.submit(provisioner.follow, CLAIMS, provisioner.on_claim),
        pool.submit(provisioner.follow, PERSISTENT_VOLUMES, provisioner.on_volume),
    )
    ended, _ = wait(followers, return_when=FIRST_COMPLETED)
    say(f"unexpected: {ended.pop().exception()!r}")
    os._exit(1)


if __name__ == "__main__":
    main()
