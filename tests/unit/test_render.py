"""`python -m toolchain.render`: what it writes, and what it refuses."""

from pathlib import Path

import pytest
import yaml

from toolchain.kit.console import ToolError
from toolchain.plugins.values import UNKNOWN, Secret
from toolchain.render.__main__ import main
from toolchain.render.manifests import MASK, UNTIL_UP, manifests, to_yaml
from toolchain.render.recorder import Registration


def registration(kind: str, name: str, **inputs: object) -> Registration:
    known = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    return Registration(
        urn=f"urn::{name}",
        type=f"kubernetes:core/v1:{kind}",
        name=name,
        parent="",
        custom=True,
        provider="",
        protect=False,
        inputs=known | inputs,
    )


def run(monkeypatch: pytest.MonkeyPatch, *argv: str) -> None:
    monkeypatch.setattr("sys.argv", ["toolchain.render", *argv])
    main()


def test_one_file_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "local", "--out", str(tmp_path))
    for path in tmp_path.iterdir():
        manifest = yaml.safe_load(path.read_text())
        assert path.name == f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"
    assert (tmp_path / "statefulset-postgres.yaml").is_file()


def test_a_folder_of_the_users_keeps_what_else_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("mine")
    run(monkeypatch, "local", "--out", str(tmp_path))
    assert (tmp_path / "mine.yaml").read_text() == "mine"


def test_unset_secrets_of_the_user_are_placeholders_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "prod", "--out", str(tmp_path))
    assert "note: registryPassword is not set, a placeholder stands in for it" in capsys.readouterr().err
    assert "placeholder" not in (tmp_path / "secret-registry.yaml").read_text()


def test_a_stack_without_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolError, match=r"there is no Pulumi\.nowhere\.yaml; use one of local, prod"):
        run(monkeypatch, "nowhere")


def test_secrets_are_masked_as_text_that_the_api_accepts() -> None:
    secret = registration("Secret", "s", data=Secret({"a": "eA=="}), type="Opaque")
    assert manifests([secret])["secret-s.yaml"]["stringData"] == {"a": MASK}
    login = registration("Secret", "l", data=Secret({".dockerconfigjson": "e30="}))
    assert manifests([login])["secret-l.yaml"]["stringData"] == {".dockerconfigjson": '{"auths": "[secret]"}'}


def test_what_only_the_update_tells_says_so() -> None:
    assert manifests([registration("ConfigMap", "c", data={"a": UNKNOWN})])["configmap-c.yaml"]["data"] == {
        "a": UNTIL_UP
    }


def test_two_objects_never_share_a_file() -> None:
    with pytest.raises(ValueError, match=r"configmap-c\.yaml"):
        manifests([registration("ConfigMap", "c"), registration("ConfigMap", "c")])


def test_text_of_several_lines_is_a_block() -> None:
    assert to_yaml({"a": "x\ny\n", "b": ["c"]}) == "a: |\n  x\n  y\nb:\n  - c\n"
