"""Verifiers and mounted credentials."""

import base64
import hmac
from pathlib import Path

import pytest

from components.postgres.image.member import scram
from components.postgres.image.member.credentials import read


def mount(folder: Path, **files: str) -> Path:
    """A mounted Secret, as the kubelet lays it out."""
    kind = folder / "postgres-app"
    (kind / "..1").mkdir(parents=True)
    for name, text in files.items():
        (kind / "..1" / name).write_text(text)
        (kind / name).symlink_to(Path("..data") / name)
    (kind / "..data").symlink_to("..1")
    return kind


def test_a_verifier_matches_a_published_vector() -> None:
    # RFC 7677, section 3: user "user", password "pencil"; the server's signature proves the server key
    made = scram.verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    server_key = base64.b64decode(made.rpartition(":")[2])
    message = (
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    signature = hmac.digest(server_key, message.encode(), "sha256")
    assert base64.b64encode(signature).decode() == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_verifier_knows_its_password_only() -> None:
    made = scram.verifier("correct")
    assert scram.matches(made, "correct")
    assert not scram.matches(made, "wrong")
    assert made != scram.verifier("correct"), "two verifiers must not share a salt"


@pytest.mark.parametrize("kept", [None, "", "md5abc", "SCRAM-SHA-256$4096:!!$a:b", "SCRAM-SHA-1$1:YQ==$YQ==:YQ=="])
def test_what_is_no_verifier_matches_nothing(kept: str | None) -> None:
    assert not scram.matches(kept, "a")


@pytest.mark.parametrize("password", ["", "päss", "a\nb"])
def test_a_password_that_saslprep_would_change_is_refused_unnamed(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        scram.verifier(password)
    assert not password or password not in str(caught.value)


def test_the_current_slot_comes_first_and_no_value_is_shown(tmp_path: Path) -> None:
    mount(tmp_path, a="secret-a", b="secret-b", current="b", epoch="3")
    credential = read(tmp_path, "postgres-app")
    assert credential.slots == ("b", "a")
    assert credential.epoch == 3
    assert "secret" not in repr(credential)


def test_all_keys_are_of_one_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = mount(tmp_path, a="a2", b="b1", current="a", epoch="2")
    original = Path.read_text

    def read_and_change(path: Path) -> str:
        text = original(path)
        if not (kind / "..2").exists():
            (kind / "..2").mkdir()
            for name, value in {"a": "a2", "b": "b3", "current": "b", "epoch": "3"}.items():
                (kind / "..2" / name).write_text(value)
            (kind / "..new").symlink_to("..2")
            (kind / "..new").replace(kind / "..data")
        return text

    monkeypatch.setattr(Path, "read_text", read_and_change)
    credential = read(tmp_path, "postgres-app")
    assert (credential.current, credential.passwords["b"], credential.epoch) == ("a", "b1", 2)


@pytest.mark.parametrize(("key", "value"), [("current", "c"), ("epoch", "two")])
def test_a_broken_secret_is_refused(tmp_path: Path, key: str, value: str) -> None:
    mount(tmp_path, **{"a": "x", "b": "y", "current": "a", "epoch": "2"} | {key: value})
    with pytest.raises(ValueError, match=r"."):
        read(tmp_path, "postgres-app")
