"""The checklist of secrets: what it says of a stack's file, without cluster and passphrase, and never a value."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from stacks.secrets import SECRET_KEYS, set_command
from toolchain.kit.console import ToolError
from toolchain.kit.paths import ROOT
from toolchain.platform import checklist, stack
from toolchain.render import stackfile

PREFIX = "trading-platform:"
ENCRYPTED = {"secure": "v1:ciphertext"}
ELSEWHERE = {"registry": "registry.example.com/trading"}
NONE: Mapping[str, object] = {}
LOGIN = {"registryUsername": ENCRYPTED, "registryPassword": ENCRYPTED}


class Checked:
    """One run of the command over a file of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
        patch.setattr(stack, "ROOT", folder)
        patch.setattr(stackfile, "ROOT", folder)
        self._folder, self._capsys = folder, capsys

    def __call__(
        self, config: Mapping[str, object], settings: Mapping[str, object] = NONE, *, as_json: bool = False
    ) -> tuple[int, str]:
        """(exit code, what was printed) for a stack `qa` with this configuration, and settings beside it."""
        keys = {PREFIX + key: value for key, value in config.items()}
        (self._folder / "Pulumi.qa.yaml").write_text(yaml.safe_dump({"config": keys, **settings}))
        code = checklist.secrets_check("qa", as_json=as_json)
        return code, self._capsys.readouterr().out

    def states(self, config: Mapping[str, object], settings: Mapping[str, object] = NONE) -> dict[str, str]:
        """Name to state, from the JSON."""
        rows = json.loads(self(config, settings, as_json=True)[1])
        assert [row.keys() for row in rows if row.keys() != {"name", "state", "where", "needed_for", "command"}] == []
        return {row["name"]: row["state"] for row in rows}


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checked:
    return Checked(tmp_path, monkeypatch, capsys)


def test_a_missing_login_is_named_with_the_command_that_sets_it(checked: Checked) -> None:
    code, text = checked(ELSEWHERE)
    assert code == 1
    for key in ("registryUsername", "registryPassword"):
        assert f"pulumi config set --secret {key} --stack qa\n" in text
    assert text.rstrip().endswith("to be set: registryUsername, registryPassword")


def test_encrypted_is_enough_and_needs_no_passphrase(checked: Checked) -> None:
    code, text = checked({**ELSEWHERE, **LOGIN}, {"encryptionsalt": "v1:salt"})
    assert code == 0
    assert text.rstrip().endswith("nothing is missing")
    assert "ciphertext" not in text


@pytest.mark.parametrize("as_json", [False, True])
def test_plain_text_is_wrong_and_not_repeated(checked: Checked, as_json: bool) -> None:
    code, text = checked({**ELSEWHERE, **LOGIN, "registryPassword": "hunter2"}, as_json=as_json)
    assert code == 1
    assert "plain text" in text.lower()
    assert "hunter2" not in text


def test_a_stack_with_local_images_and_no_ingress_needs_nothing(checked: Checked) -> None:
    assert checked({})[0] == 0
    states = checked.states({})
    assert {state for name, state in states.items() if name in SECRET_KEYS} == {"not needed"}
    assert states["8 passwords"] == "generated"


@pytest.mark.parametrize(
    ("ingress", "states"),
    [
        ({}, {"tlsCertificate": "missing", "tlsKey": "missing"}),
        (
            {"annotations": {"cert-manager.io/issuer": "ca"}},
            {"tlsCertificate": "not needed", "Secret trading-api-tls": "cert-manager"},
        ),
        ({"tls_secret": "wild"}, {"tlsCertificate": "not needed", "Secret wild": "kept by others"}),
    ],
)
def test_who_keeps_the_certificate(checked: Checked, ingress: dict[str, object], states: dict[str, str]) -> None:
    config = {"ingress": {"host": "t.example.com", **ingress}}
    assert states.items() <= checked.states(config).items()
    assert checked(config)[0] == ("missing" in states.values())


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({}, "not in file"),
        ({"encryptionsalt": "v1:salt"}, "set"),
        ({"secretsprovider": "awskms://alias/x?region=r"}, "set"),
    ],
)
def test_what_encrypts_the_secrets(checked: Checked, settings: dict[str, object], state: str) -> None:
    assert checked.states({}, settings)["secrets provider"] == state
    assert "awskms encrypts" in checked({}, settings)[1] or "secretsprovider" not in settings


@pytest.mark.parametrize(("stack_name", "store"), [("staging", []), ("prod", ["backupS3Key", "backupS3KeySecret"])])
def test_the_committed_stacks_need_a_login_and_prod_the_key_of_its_backups(stack_name: str, store: list[str]) -> None:
    rows = checklist.checklist(stack_name, stackfile.read(stack_name), {})
    assert [row.name for row in rows if row.state == "missing"] == ["registryUsername", "registryPassword", *store]


def test_no_command_has_a_value_in_its_arguments() -> None:
    """A value in the arguments is in the shell's history and in the list of processes."""
    for key in SECRET_KEYS:
        assert re.fullmatch(rf"pulumi config set --secret {key} --stack qa( < \w+\.pem)?", set_command(key, "qa"))


def test_an_unknown_stack_is_refused() -> None:
    with pytest.raises(ToolError, match=r"there is no Pulumi\.nowhere\.yaml"):
        checklist.secrets_check("nowhere")
