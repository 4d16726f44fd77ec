"""What is built: one Go module folder here each, with its versions pinned in go.mod and its checksums in go.sum."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.kit.cache import content_hash
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT

HERE = ROOT / "toolchain" / "go"
KUBERNETES = "1.34.4"
PULUMI = "3.200.0"
BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")


@dataclass(frozen=True)
class Program:
    """One binary: a module folder `toolchain/go/<module>` and what is made of it.

    Attributes:
        name: the name to ask for.
        binary: file name of the result.
        package: the main package to compile.
        module: the module folder; the name when empty.
        links: further names of the binary, which runs the program that its name says.
        variables: Go variables set by the linker (`-X`), so that the program reports its version.
        scripts: files copied beside the binary and made executable: module path -> paths in that module.
        edits: small changes of sources for this build alone: module path -> (path in that module, old text, new text).
    """

    name: str
    binary: str
    package: str = "."
    module: str = ""
    links: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    edits: Mapping[str, tuple[tuple[str, str, str], ...]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The module folder."""
        return HERE / (self.module or self.name)

    @property
    def ldflags(self) -> str:
        """The linker's flags: no symbol table, and the version variables."""
        return " ".join(["-s", "-w", *(f"-X {key}={value}" for key, value in sorted(self.variables.items()))])

    def key(self, folder: Path | None = None) -> str:
        """12 hex digits over everything that decides the result: module files, this recipe, the machine's kind."""
        where = folder or self.folder
        made = (sorted(self.scripts.items()), sorted(self.edits.items()))
        recipe = repr((self.binary, self.package, self.links, self.ldflags, *made, BUILD_FLAGS))
        return content_hash([where], recipe, platform.machine(), relative_to=where)


def kubernetes_version(version: str) -> dict[str, str]:
    """The variables by which servers and clients of Kubernetes report a version."""
    major, minor, _ = version.split(".")
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return {f"{package}.{key}": value for package in packages for key, value in values.items()}


PROGRAMS = (
    Program(
        name="kube",
        binary="kube",
        links=("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet"),
        variables=kubernetes_version(KUBERNETES),
    ),
    Program(
        name="pulumi",
        binary="pulumi",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        variables={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": PULUMI},
        scripts={
            "github.com/pulumi/pulumi/sdk/v3": (
                "python/cmd/pulumi-language-python-exec",
                "python/dist/pulumi-analyzer-policy-python",
                "python/dist/pulumi-resource-pulumi-python",
            )
        },
        # A failed command ends with 1, as with later releases of the CLI; 3.200.0 says -1, which a shell sees as 255.
        edits={
            "github.com/pulumi/pulumi/pkg/v3": (("cmd/pulumi/main.go", "os.Exit(-1)", "os.Exit(1)"),),
            "github.com/pulumi/pulumi/sdk/v3": (("go/common/util/cmdutil/exit.go", "os.Exit(-1)", "os.Exit(1)"),),
        },
    ),
    Program(name="coredns", binary="coredns"),
)

# Built by their name only, when a check asks for them: `make up` never waits for one.
CHECKERS = (
    Program(name="actionlint", binary="actionlint", package="github.com/rhysd/actionlint/cmd/actionlint"),
    Program(name="gitleaks", binary="gitleaks", package="github.com/zricethezav/gitleaks/v8"),
    Program(name="kube-score", binary="kube-score", package="github.com/zegl/kube-score/cmd/kube-score"),
    Program(name="grype", binary="grype", module="anchore", package="github.com/anchore/grype/cmd/grype"),
    Program(name="syft", binary="syft", module="anchore", package="github.com/anchore/syft/cmd/syft"),
)


def program(name: str) -> Program:
    """The program of that name. Raises `ToolError` when there is none."""
    known = (*PROGRAMS, *CHECKERS)
    for each in known:
        if each.name == name:
            return each
    raise ToolError(f"program = {name!r}: not one of {', '.join(p.name for p in known)}")
