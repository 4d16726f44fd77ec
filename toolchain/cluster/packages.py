"""Debian's etcd, containerd, runc and network plugins, installed without any service of theirs being started."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.cluster.configs import CNI_PLUGINS
from toolchain.kit.host import apt_ensure

PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "etcd": "etcd-server",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "runc": "runc",
    f"{CNI_PLUGINS}/bridge": "containernetworking-plugins",
}
SERVICES = {"containerd": "containerd.service", "etcd": "etcd.service"}
POLICY = Path("/usr/sbin/policy-rc.d")
MARK = "# of trading-platform, while its packages are being installed"


def ensure_packages() -> None:
    """Install what is missing; services that come with it stay off, now and after the next boot."""
    fresh = [unit for command, unit in SERVICES.items() if shutil.which(command) is None]
    with no_service_starts():
        apt_ensure(PACKAGES)
    if fresh and shutil.which("systemctl"):
        subprocess.run(["systemctl", "disable", *fresh], capture_output=True, check=False)


@contextmanager
def no_service_starts() -> Iterator[None]:
    """Debian's own switch: a policy that forbids service starts; one that the machine has already stays as it is."""
    ours = not POLICY.exists() or MARK in POLICY.read_text()
    if ours:
        POLICY.write_text(f"#!/bin/sh\n{MARK}\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
