"""Small Pulumi projects for tests: a file backend and a program in a temporary folder, run by the real CLI.

A `pulumi` that the user has on PATH is used with its plugins (and PULUMI_HOME); without one, the toolchain's own. So
the same suite tells whether the official plugins and ours do the same.
"""

import functools
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from toolchain.go import ensure
from toolchain.kit.paths import LOCAL
from toolchain.platform.tools import users_pulumi
from toolchain.plugins.install import install

TIMEOUT_S: Final = 300
Event = dict[str, Any]


@functools.cache
def tools() -> dict[str, str]:
    """The variables by which `pulumi` is found with its plugins; none where the user's own is used."""
    if users_pulumi(os.environ):
        return {}
    home, folder = LOCAL / "pulumi-home", LOCAL / "bin"
    install(home, folder, ensure(["pulumi"]))
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PULUMI_HOME": str(home)}


def short(urn: str) -> str:
    """A URN without stack and project: `random:index/randomPet:RandomPet::name`."""
    return "::".join(urn.split("::")[2:])


@dataclass(frozen=True)
class Outcome:
    """How a command of the CLI ended.

    Attributes:
        code: exit status.
        text: what it printed on both streams.
        events: the engine's events, in order.
    """

    code: int
    text: str
    events: list[Event] = field(repr=False)

    def ok(self) -> "Outcome":
        """Itself; fails the test with the CLI's output when the command failed."""
        assert self.code == 0, f"exit {self.code}:\n{self.text}"
        return self

    def _metadata(self, kind: str) -> list[Event]:
        return [event[kind]["metadata"] for event in self.events if kind in event]

    @property
    def steps(self) -> dict[str, Event]:
        """What was planned or done, by name of the resource: op, keys that replace, diffs, detailedDiff, old, new.

        Providers, the stack and unchanged resources are left out; a replacement is its `replace` step.
        """
        found = {}
        for step in self._metadata("resourcePreEvent"):
            logical = step["op"] not in ("same", "create-replacement", "delete-replaced")
            if logical and "pulumi:providers:" not in step["type"] and step["type"] != "pulumi:pulumi:Stack":
                found[step["urn"].rsplit("::", 1)[-1]] = step
        return found

    @property
    def ops(self) -> dict[str, str]:
        """Operation by name of the resource, unchanged ones left out."""
        return {name: step["op"] for name, step in self.steps.items()}

    @property
    def failed(self) -> list[str]:
        """The resources whose operation failed, as short URNs."""
        return [short(step["urn"]) for step in self._metadata("resOpFailedEvent")]

    def diagnostics(self, severity: str) -> list[str]:
        """The messages of a severity: `error`, `warning`, `info`, `info#err`, `debug`."""
        found = [event["diagnosticEvent"] for event in self.events if "diagnosticEvent" in event]
        return [diagnostic["message"].strip() for diagnostic in found if diagnostic["severity"] == severity]

    @property
    def errors(self) -> list[str]:
        """The error messages."""
        return self.diagnostics("error")

    def detailed_diff(self, name: str) -> dict[str, str]:
        """Kind of change by property path, for one resource."""
        return {path: change["diffKind"] for path, change in (self.steps[name]["detailedDiff"] or {}).items()}


class Project:
    """A project with one stack, `dev`.

    Args:
        folder: an empty folder.
        program: the text of __main__.py; it is dedented.
        options: runtime options; the tests' own virtual environment by default.
        env: further variables.
    """

    def __init__(
        self,
        folder: Path,
        program: str = "",
        *,
        options: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        state = folder / "state"
        state.mkdir()
        self.env = dict(os.environ) | tools() | {
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "tests only",
            "PULUMI_DEBUG_COMMANDS": "true",  # --event-log is one
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        self.env |= env or {}
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix} if options is None else dict(options)}
        (folder / "Pulumi.yaml").write_text(json.dumps({"name": "contract", "runtime": runtime}))
        self.write(program)
        self.run("stack", "init", "dev").ok()

    def write(self, program: str) -> None:
        """Replace the program."""
        (self.folder / "__main__.py").write_text(textwrap.dedent(program))

    def command(self, *arguments: str) -> list[str]:
        """The command line of a CLI command."""
        return ["pulumi", "--non-interactive", "--color", "never", *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a CLI command in a process group of its own, to send it signals."""
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.env, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *arguments: str) -> Outcome:
        """Run any CLI command to its end."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.env, text=True, timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout + done.stderr, [])

    def _logged(self, *arguments: str) -> Outcome:
        log = self.folder / "events"
        log.unlink(missing_ok=True)
        done = self.run(*arguments, "--event-log", str(log))
        lines = log.read_text().splitlines() if log.exists() else []
        return Outcome(done.code, done.text, [json.loads(line) for line in lines])

    def preview(self, *flags: str) -> Outcome:
        """`pulumi preview`."""
        return self._logged("preview", *flags)

    def up(self, *flags: str) -> Outcome:
        """`pulumi up` without a preview."""
        return self._logged("up", "--yes", "--skip-preview", *flags)

    def refresh(self, *flags: str) -> Outcome:
        """`pulumi refresh` without a preview."""
        return self._logged("refresh", "--yes", "--skip-preview", *flags)

    def destroy(self, *flags: str) -> Outcome:
        """`pulumi destroy` without a preview."""
        return self._logged("destroy", "--yes", "--skip-preview", *flags)

    def import_(self, token: str, name: str, identity: str, *flags: str) -> Outcome:
        """`pulumi import` of one resource, unprotected, without generated code."""
        options = ("--yes", "--skip-preview", "--protect=false", "--generate-code=false")
        return self._logged("import", token, name, identity, *options, *flags)

    def config(self, key: str, value: str, *flags: str) -> None:
        """Set a configuration value; `--secret` and `--path` are flags."""
        self.run("config", "set", *flags, "--", key, value).ok()

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in plain text."""
        found: dict[str, Any] = json.loads(self.run("stack", "output", "--json", "--show-secrets").ok().text)
        return found

    def state(self) -> dict[str, Event]:
        """The resources in the state by name, secrets encrypted; providers and the stack are left out."""
        exported = json.loads(self.run("stack", "export").ok().text)
        return {
            resource["urn"].rsplit("::", 1)[-1]: resource
            for resource in exported["deployment"].get("resources", [])
            if not resource["type"].startswith(("pulumi:providers:", "pulumi:pulumi:"))
        }
