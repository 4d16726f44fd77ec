"""The token for the Kubernetes API, mounted for the one container that asks it."""

from pulumi_kubernetes.core.v1 import (
    ConfigMapProjectionArgs,
    DownwardAPIProjectionArgs,
    DownwardAPIVolumeFileArgs,
    KeyToPathArgs,
    ObjectFieldSelectorArgs,
    ProjectedVolumeSourceArgs,
    ServiceAccountTokenProjectionArgs,
    VolumeArgs,
    VolumeMountArgs,
    VolumeProjectionArgs,
)

from components.kit.volumes import Mounted

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_LIFE_S = 3600


def token_volume() -> Mounted:
    """The token for the Kubernetes API, as the kubelet mounts it by itself, but for one container alone."""
    namespace = DownwardAPIVolumeFileArgs(
        path="namespace", field_ref=ObjectFieldSelectorArgs(api_version="v1", field_path="metadata.namespace")
    )
    authority = ConfigMapProjectionArgs(name="kube-root-ca.crt", items=[KeyToPathArgs(key="ca.crt", path="ca.crt")])
    sources = [
        VolumeProjectionArgs(
            service_account_token=ServiceAccountTokenProjectionArgs(path="token", expiration_seconds=TOKEN_LIFE_S)
        ),
        VolumeProjectionArgs(config_map=authority),
        VolumeProjectionArgs(downward_api=DownwardAPIProjectionArgs(items=[namespace])),
    ]
    return Mounted(
        volumes=[VolumeArgs(name="token", projected=ProjectedVolumeSourceArgs(default_mode=0o440, sources=sources))],
        mounts=[VolumeMountArgs(name="token", mount_path=TOKEN_FOLDER, read_only=True)],
    )
