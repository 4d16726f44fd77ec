"""The first process of a member (a node or the control plane): its own PID and mount namespaces, and its daemons.

Everything a member runs lives below this process, so its death is the abrupt death of the whole member: the kernel
kills all processes of the PID namespace, containers included, and with the last one the mounts are gone.

Run as `python -m toolchain.cluster.init <spec.json> <pid file>`; returns once the member's first process is recorded.
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toolchain.cluster import cgroups, linux, plan
from toolchain.cluster.daemons import NETWORK_DESCRIPTOR, Daemon, Spec
from toolchain.cluster.processes import Process

LOG_LIMIT_BYTES = 4 << 20
LOG_KEPT_BYTES = 1 << 20
TICK_S = 15
LONG_LIFE_S = 30
SLOWEST_RESTART_S = 10.0
GRACE_S = 10

# The kubelet insists on these values of the machine's own settings. It reads them here, where a file of ours lies over
# each, so that the machine keeps what it has.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def main() -> None:
    """Fork the member's first process into its namespaces and record it."""
    spec_file, pid_file = map(Path, sys.argv[1:])
    spec = Spec.load(json.loads(spec_file.read_text()))
    cgroups.join(spec.cgroup)
    linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC)
    recorded, record = os.pipe()
    pid = os.fork()
    if pid:
        Process.of(pid).save(pid_file)
        os._exit(0)
    # Both share the mounts: /proc has to stay the machine's until the record is written and its writer has left.
    os.close(record)
    os.read(recorded, 1)
    os.close(recorded)
    Init(spec).run()


@dataclass
class Running:
    """A daemon and its present process.

    Attributes:
        pid: 0 while it is not running.
        since: monotonic time of its last start.
        wait_s: how long to wait before the next start; doubles while it keeps dying early.
        due: monotonic time of the next start.
    """

    daemon: Daemon
    pid: int = 0
    since: float = 0.0
    wait_s: float = 0.5
    due: float = 0.0


class Init:
    """Process 1 of a member."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.network = os.open(f"/run/netns/{spec.namespace}", os.O_RDONLY | os.O_CLOEXEC)
        self.daemons = [Running(each) for each in spec.daemons]
        self.stopping = False

    def run(self) -> None:
        """Prepare the namespaces, start the daemons, and restart each that dies, until SIGTERM."""
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD, signal.SIGTERM))
        os.umask(0o022)
        self.prepare()
        while True:
            self.start_due()
            waits = [max(each.due - time.monotonic(), 0) for each in self.daemons if not each.pid]
            caught = signal.sigtimedwait((signal.SIGCHLD, signal.SIGTERM), min([TICK_S, *waits]))
            self.reap()
            self.bound_logs()
            if caught is not None and caught.si_signo == signal.SIGTERM:
                self.stop()
                return

    def prepare(self) -> None:
        """Mounts that only this member sees, its host name, and as many open files as allowed."""
        # Nothing mounted here is seen outside; what is unmounted outside must not be kept alive by a copy in here.
        linux.mount("none", "/", flags=linux.MS_REC | linux.MS_SLAVE)
        safe = linux.MS_NOSUID | linux.MS_NODEV
        linux.mount("proc", "/proc", "proc", safe | linux.MS_NOEXEC)
        for folder in ("/run", "/var/log", "/var/lib/cni"):
            linux.mount("tmpfs", folder, "tmpfs", safe, "mode=755")
        plan.INSIDE.mkdir()
        linux.mount(self.spec.folder, plan.INSIDE, flags=linux.MS_BIND | linux.MS_REC)
        for name, value in KERNEL_SETTINGS.items():
            setting = Path("/proc/sys") / name
            if setting.exists():
                stand_in = Path("/run") / name.replace("/", ".")
                stand_in.write_text(value + "\n")
                linux.mount(stand_in, setting, flags=linux.MS_BIND)
        linux.sethostname(self.spec.member)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def start_due(self) -> None:
        """Start every daemon whose time has come."""
        for each in self.daemons:
            if not each.pid and each.due <= time.monotonic():
                each.since = time.monotonic()
                each.pid = os.fork()
                if not each.pid:
                    self.become(each.daemon)

    def become(self, daemon: Daemon) -> None:
        """In a fresh child: turn into the daemon. Never returns."""
        try:
            os.setsid()
            self.open_log(daemon)
            if daemon.inside:
                linux.setns(self.network, linux.CLONE_NEWNET)
            if NETWORK_DESCRIPTOR in daemon.argv:
                os.set_inheritable(self.network, True)
            argv = [str(self.network) if part == NETWORK_DESCRIPTOR else part for part in daemon.argv]
            env = {
                "PATH": self.spec.path,
                "PYTHONPATH": self.spec.python_path,
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": "/run",
                **daemon.env,
            }
            os.chdir("/")
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            os.execvpe(argv[0], argv, env)  # noqa: S606 - no shell between init and daemon
        except OSError as error:
            os.write(2, f"cannot start {daemon.name}: {error}\n".encode())
        os._exit(127)

    def open_log(self, daemon: Daemon) -> None:
        """Standard output and error go to the log, input comes from nowhere."""
        log = os.open(self.log(daemon), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)

    def log(self, daemon: Daemon) -> Path:
        """The log file of a daemon."""
        return Path(self.spec.logs) / f"{daemon.name}.log"

    def reap(self) -> None:
        """Collect dead children (orphans of the containers too) and plan the restart of daemons among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for each in self.daemons:
                if each.pid == pid:
                    self.died(each, os.waitstatus_to_exitcode(status))

    def died(self, running: Running, code: int) -> None:
        """Note a daemon's death in its log and plan its restart."""
        now = time.monotonic()
        if now - running.since > LONG_LIFE_S:
            running.wait_s = 0.5
        running.pid, running.due = 0, now + running.wait_s
        with self.log(running.daemon).open("a") as log:
            after = "" if self.stopping else f"; starts again in {running.wait_s:g} s"
            log.write(f"--- {running.daemon.name} ended with {code}{after}\n")
        running.wait_s = min(2 * running.wait_s, SLOWEST_RESTART_S)

    def bound_logs(self) -> None:
        """Cut each log that has grown too long to its last part; writers append, so they go on at the new end."""
        for each in self.daemons:
            path = self.log(each.daemon)
            if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
                with path.open("r+b") as log:
                    log.seek(-LOG_KEPT_BYTES, os.SEEK_END)
                    kept = log.read()
                    log.truncate(0)
                    log.seek(0)
                    log.write(kept)

    def stop(self) -> None:
        """Stop gently: the daemons but the first, on which they stand; then whatever else listens to SIGTERM.

        So no container is restarted while it stops, and the API server can still write.
        """
        self.stopping = True
        later = self.daemons[1:]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for each in later:
                if each.pid:
                    os.kill(each.pid, number)
            self.wait_for(lambda: not any(each.pid for each in later), GRACE_S)
        try:
            os.kill(-1, signal.SIGTERM)
        except ProcessLookupError:
            return
        self.wait_for(lambda: not others_left(), GRACE_S)

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> None:
        """Reap until a condition holds, or the time is over."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            signal.sigtimedwait((signal.SIGCHLD,), 0.1)
            self.reap()


def others_left() -> bool:
    """Whether any process but this one and containerd's shims, which do not stop for SIGTERM, is left."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != "1":
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            name, state = stat.partition("(")[2].rpartition(")")[0], stat.rpartition(")")[2].split()[0]
            if state != "Z" and not name.startswith("containerd-shim"):
                return True
    return False


if __name__ == "__main__":
    main()
