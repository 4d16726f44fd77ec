"""The built archives: what containerd reads, small, and without a trace of the machine that built them."""

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from components.kit.images import IMAGES, reference
from toolchain.images import build, ensure
from toolchain.kit.console import ToolError

pytestmark = pytest.mark.cluster

# MB on disk of a node, the shared base included. An import reads all of it, on every node.
LIMIT_MB = {"base": 130, "pause": 1, "postgres": 240, "redis": 135, "trading": 340}  # Arrow 82, NumPy 51, Alembic 15
# Nothing of a base's own variables looks like these: they would be this machine's certificates, proxies or indexes.
FOREIGN = ("CERT", "SSL", "CA_BUNDLE", "PROXY", "PIP_INDEX", "PIP_CERT", "PIP_FIND")
# Package sources, name servers, indexes of pip, and what apt downloads.
TRACES = (
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/pip.conf",
    "etc/resolv.conf",
    "root/.cache/",
    "root/.config/",
    "root/.pip/",
    "var/cache/apt/",
    "var/lib/apt/lists/",
)


@contextmanager
def archive(path: Path) -> Iterator[tuple[tarfile.TarFile, dict[str, Any], dict[str, Any]]]:
    """An open archive, its one manifest entry and the configuration of its image."""
    with tarfile.open(path) as tar:
        [manifest] = load(tar, "manifest.json")
        yield tar, manifest, load(tar, manifest["Config"])


def load(tar: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - JSON
    file = tar.extractfile(name)
    assert file
    return json.load(file)


def entries(tar: tarfile.TarFile, layer: str) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=tar.extractfile(layer)) as files:
        return {info.name.removeprefix("./").rstrip("/"): info for info in files}


@pytest.fixture(scope="module")
def archives() -> dict[str, Path]:
    return ensure()


@pytest.mark.parametrize("name", IMAGES)
def test_archive_names_its_reference_and_is_small(name: str, archives: dict[str, Path]) -> None:
    with archive(archives[name]) as (_, manifest, config):
        assert manifest["RepoTags"] == [reference(name)]
        assert config["os"] == "linux"
    assert archives[name].stat().st_size <= LIMIT_MB[name] * 1e6


@pytest.mark.parametrize("name", IMAGES)
def test_image_keeps_nothing_of_this_machine(name: str, archives: dict[str, Path]) -> None:
    with archive(archives[name]) as (tar, manifest, config):
        variables = [variable.split("=")[0] for variable in config["config"]["Env"] or []]
        assert [v for v in variables for foreign in FOREIGN if foreign in v.upper()] == []
        for layer in manifest["Layers"]:
            files = [path for path, info in entries(tar, layer).items() if info.isfile() and info.size]
            assert [path for path in files if path.startswith(TRACES)] == []


@pytest.mark.parametrize("name", [name for name, image in IMAGES.items() if image.on_base])
def test_images_share_the_layer_of_the_base_and_run_as_nobody_special(name: str, archives: dict[str, Path]) -> None:
    with archive(archives["base"]) as (_, _, base), archive(archives[name]) as (_, _, config):
        shared = base["rootfs"]["diff_ids"]
        assert config["rootfs"]["diff_ids"][: len(shared)] == shared
        uid, _, gid = config["config"]["User"].partition(":")
        assert int(uid) >= 10000
        assert int(gid) >= 10000


def test_an_edit_during_a_build_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_CACHE", str(tmp_path))
    with pytest.raises(ToolError, match="image pause: its files changed while it was being built"):
        build.build("pause", "0" * 12, None, tmp_path)
    assert list((tmp_path / "images").iterdir()) == []
