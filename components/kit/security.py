"""Security contexts that satisfy the Pod Security level `restricted`, and one step more: a read-only root."""

from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    PodSecurityContextArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
)


def pod_security(uid: int) -> PodSecurityContextArgs:
    """Run the pod as `uid` with the group of the same number, which owns its volumes.

    `OnRootMismatch` keeps a kubelet restart from walking a large volume, and from widening the modes of a database's
    files, which PostgreSQL refuses to start on.
    """
    return PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=uid,
        run_as_group=uid,
        fs_group=uid,
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
    )


def container_security() -> SecurityContextArgs:
    """No capability, no privilege escalation, no write outside mounted volumes."""
    return SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        run_as_non_root=True,
        capabilities=CapabilitiesArgs(drop=["ALL"]),
    )
