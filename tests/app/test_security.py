"""The pure parts of access: keys, seals, passwords, tokens, roles, and the chain of the audit."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.app.credentials import Credentials
from trading.security import passwords as passwords_module
from trading.security.access import common, knows_secret, lesser, of_key, of_user
from trading.security.apikeys import ApiKey, digest, mint, parse, signing_key
from trading.security.audit import START, Entry, Link, first_broken, link_hash
from trading.security.credentials import MountedCredential
from trading.security.passwords import Busy, InvalidPassword, Passwords
from trading.security.people import KeyRow, User
from trading.security.principal import Role
from trading.security.sealing import SealBroken, Sealer
from trading.security.tokens import ACCESS_S, AccessTokens, Claims, TokenRefused, _keys, is_refresh, mint_refresh

NOW = datetime.now(UTC)
USER = User("ravi", Role.TRADER, frozenset({"main"}), False, 1, NOW, "hash")
CLAIMS = Claims("ravi", UUID(int=7))


def key_row(key: ApiKey, **changes: Any) -> KeyRow:  # noqa: ANN401 - fields of a row
    row = KeyRow(
        id=key.id,
        owner="ravi",
        label="bot",
        role=Role.ADMIN,
        accounts=None,
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
        rotated_at=None,
        revoked_at=None,
        secret_hash=digest(key.secret),
        sealed=b"",
        previous_hash=None,
        previous_sealed=None,
        previous_until=None,
    )
    return replace(row, **changes)


@pytest.fixture
def ring(tmp_path: Path) -> MountedCredential:
    """The mounted credential `jwt`, in generation 1, slot b."""
    Credentials(tmp_path).mount("jwt", Credentials.values("jwt", 1), current="b", epoch=1)
    return MountedCredential(tmp_path, "jwt")


def rotate(ring: MountedCredential, folder: Path, epoch: int) -> None:
    """Replace the older slot and make it current."""
    slots = dict(ring.get().slots)
    newest = "ab"[epoch % 2]
    slots[newest] = f"epoch {epoch}".ljust(32, "y")
    Credentials(folder).mount("jwt", slots, current=newest, epoch=epoch)


# keys


def test_a_key_is_read_back_from_its_text_and_hides_its_secret() -> None:
    key = mint()
    assert parse(str(key)) == key
    assert key.secret not in repr(key)
    assert mint(key.id).id == key.id
    assert mint(key.id).secret != key.secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "." * 56,
        "abcdefghijkl.",
        f"ABCDEFGHIJKL.{'x' * 43}",
        f"abcdefghijkl.{'x' * 43} ",
        f"abcdefghijkl.{'x' * 43}\n",
    ],
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert parse(text) is None


def test_what_is_kept_tells_neither_the_secret_nor_what_it_signs_with() -> None:
    key = mint()
    assert len({digest(key.secret), signing_key(key.secret), key.secret.encode()}) == 3


def test_a_secret_is_known_while_it_is_the_current_or_the_previous_one() -> None:
    key, older = mint(), mint()
    row = key_row(key, previous_hash=digest(older.secret), previous_until=NOW + timedelta(hours=1))
    assert knows_secret(key, row, NOW)
    assert knows_secret(older, row, NOW)
    assert not knows_secret(older, row, NOW + timedelta(hours=1))
    assert not knows_secret(mint(), row, NOW)
    assert not knows_secret(key, None, NOW)


def test_a_key_may_never_do_more_than_its_owner_may_now() -> None:
    row = key_row(mint())
    found = of_key(row, USER, NOW)
    assert found is not None
    assert (found.name, found.role, found.accounts, found.key_id) == ("ravi", Role.TRADER, frozenset({"main"}), row.id)
    viewer = of_key(row, replace(USER, role=Role.VIEWER), NOW)
    assert viewer is not None
    assert viewer.role is Role.VIEWER


def test_revoked_and_expired_keys_and_those_of_the_disabled_are_nobodys() -> None:
    row = key_row(mint())
    assert of_key(replace(row, revoked_at=NOW), USER, NOW) is None
    assert of_key(row, USER, row.expires_at) is None
    assert of_key(row, replace(USER, disabled=True), NOW) is None
    assert of_user(replace(USER, disabled=True)) is None


@given(st.sampled_from(Role), st.sampled_from(Role))
def test_the_lesser_role_is_included_in_both(one: Role, other: Role) -> None:
    assert one.includes(lesser(one, other))
    assert other.includes(lesser(one, other))


def test_common_accounts_are_in_both() -> None:
    one, two = frozenset({"a", "b"}), frozenset({"b", "c"})
    assert common(None, None) is None
    assert common(one, None) == common(None, one) == one
    assert common(one, two) == frozenset({"b"})
    assert common(one, frozenset()) == frozenset()


# mounted credentials


def settling(folder: Path, clock: list[float]) -> MountedCredential:
    """The credential `jwt`, whose changed values settle for 90 s by a clock of the test's."""
    Credentials(folder).mount("jwt", {"a": "old", "b": "new"}, current="b", epoch=1)
    ring = MountedCredential(folder, "jwt", settle_s=90, clock=lambda: clock[0])
    ring.get()
    return ring


def first(ring: MountedCredential) -> tuple[str, str, int]:
    """Slot, value and epoch that are used first."""
    credential = ring.get()
    return (*next(credential.in_order()), credential.epoch)


def test_a_value_that_has_changed_is_known_at_once_and_used_first_when_it_has_settled(tmp_path: Path) -> None:
    """Another node may have it a minute later, and would refuse it."""
    clock = [0.0]
    ring = settling(tmp_path, clock)
    newer = {"a": "newest", "b": "new"}
    Credentials(tmp_path).mount("jwt", newer, current="a", epoch=2)
    assert first(ring) == ("b", "new", 1)
    assert dict(ring.get().slots) == newer
    clock[0] = 60
    Credentials(tmp_path).mount("jwt", newer, current="a", epoch=2)  # the kubelet writes it again
    clock[0] = 89.9
    assert first(ring) == ("b", "new", 1)
    clock[0] = 90
    assert first(ring) == ("a", "newest", 2)


def test_a_step_back_is_used_at_once_since_its_value_was_there_all_the_time(tmp_path: Path) -> None:
    ring = settling(tmp_path, [0.0])
    Credentials(tmp_path).mount("jwt", {"a": "old", "b": "renewed"}, current="a", epoch=0)
    assert first(ring) == ("a", "old", 0)


def test_what_changed_in_both_slots_has_nothing_to_wait_with(tmp_path: Path) -> None:
    ring = settling(tmp_path, [0.0])
    Credentials(tmp_path).mount("jwt", {"a": "newest", "b": "renewed"}, current="a", epoch=2)
    assert first(ring) == ("a", "newest", 2)


def test_who_starts_takes_what_is_mounted(tmp_path: Path) -> None:
    assert first(settling(tmp_path, [0.0])) == ("b", "new", 1)


# seals


def test_a_seal_is_opened_in_the_generation_after_and_says_that_it_is_old(
    ring: MountedCredential, tmp_path: Path
) -> None:
    sealer = Sealer(ring)
    sealed = sealer.seal("key", b"value")
    assert sealer.unseal("key", sealed) == (b"value", True)
    rotate(ring, tmp_path, 2)
    assert sealer.unseal("key", sealed) == (b"value", False)
    anew = sealer.seal("key", b"value")
    rotate(ring, tmp_path, 3)
    assert sealer.unseal("key", anew) == (b"value", False)
    with pytest.raises(SealBroken, match="rotate the key"):
        sealer.unseal("key", sealed)


def test_a_seal_is_bound_to_its_key_and_notices_any_change(ring: MountedCredential) -> None:
    sealer = Sealer(ring)
    sealed = sealer.seal("key", b"value")
    assert b"value" not in sealed
    for key_id, bad in (("other", sealed), ("key", sealed[:-1] + bytes([sealed[-1] ^ 1])), ("key", sealed[1:])):
        with pytest.raises(SealBroken):
            sealer.unseal(key_id, bad)


# passwords


def test_a_password_matches_its_own_hash_only() -> None:
    checker = Passwords()
    kept = checker.hash("correct horse battery")
    assert kept.startswith("$argon2id$")
    assert checker.matches(kept, "correct horse battery")
    assert not checker.matches(kept, "correct horse")
    assert not checker.matches("no hash at all", "correct horse battery")
    assert not checker.matches(None, "a password of nobody")


@pytest.mark.parametrize("password", ["", "short", "x" * 129])
def test_a_password_that_is_not_taken_is_not_told(password: str) -> None:
    with pytest.raises(InvalidPassword, match="must have 12 to 128 characters") as refused:
        Passwords().hash(password)
    assert str(refused.value).startswith("password: must")


def test_only_a_few_passwords_are_checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords_module, "WAIT_S", 0.01)
    checker = Passwords()
    kept = checker.hash("correct horse battery")
    busy: list[Busy] = []

    def check() -> None:
        try:
            checker.matches(kept, "wrong")
        except Busy as error:
            busy.append(error)

    threads = [Thread(target=check, daemon=True) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < len(busy) < 12
    assert checker.matches(kept, "correct horse battery"), "every turn was given back"


# tokens


def test_an_access_token_is_read_back_and_outlives_one_rotation(ring: MountedCredential, tmp_path: Path) -> None:
    tokens = AccessTokens(ring)
    token = tokens.issue(CLAIMS, datetime.now(UTC))
    assert tokens.read(token) == CLAIMS
    rotate(ring, tmp_path, 2)
    assert tokens.read(token) == CLAIMS
    rotate(ring, tmp_path, 3)
    with pytest.raises(TokenRefused):
        tokens.read(token)


def test_a_token_expires(ring: MountedCredential) -> None:
    tokens = AccessTokens(ring)
    with pytest.raises(TokenRefused):
        tokens.read(tokens.issue(CLAIMS, datetime.now(UTC) - timedelta(seconds=ACCESS_S + 6)))


CONTENT: Mapping[str, Any] = {
    "iss": "trading",
    "aud": "trading-api",
    "sub": "ravi",
    "sid": str(UUID(int=7)),
    "jti": "1",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 3600,
}


@pytest.mark.parametrize("missing", CONTENT)
def test_every_claim_is_required(ring: MountedCredential, missing: str) -> None:
    content = {name: value for name, value in CONTENT.items() if name != missing}
    key = _keys(ring.get())["1"]
    assert AccessTokens(ring).read(jwt.encode(dict(CONTENT), key, "HS256", {"typ": "at+jwt", "kid": "1"})) == CLAIMS
    with pytest.raises(TokenRefused):
        AccessTokens(ring).read(jwt.encode(content, key, "HS256", {"typ": "at+jwt", "kid": "1"}))


@pytest.mark.parametrize(
    ("content", "header", "algorithm"),
    [
        ({"iss": "other"}, {}, "HS256"),
        ({"aud": "other"}, {}, "HS256"),
        ({"aud": ["trading-api", "other"]}, {}, "HS256"),
        ({"sid": "no uuid"}, {}, "HS256"),
        ({"nbf": int(NOW.timestamp()) + 3600}, {}, "HS256"),
        ({"iat": int(NOW.timestamp()) + 3600}, {}, "HS256"),
        ({}, {"typ": "JWT"}, "HS256"),
        ({}, {"kid": "0x1"}, "HS256"),
        ({}, {"kid": "../../etc/passwd"}, "HS256"),
        ({}, {"kid": "2"}, "HS256"),
        ({}, {}, "HS384"),
        ({}, {}, "HS512"),
    ],
)
def test_a_token_in_any_other_form_is_refused(
    ring: MountedCredential, content: dict[str, Any], header: dict[str, Any], algorithm: str
) -> None:
    headers = {"typ": "at+jwt", "kid": "1"} | header
    key = _keys(ring.get())["1"] + bytes(32)  # long enough for every algorithm
    if algorithm == "HS256":
        key = key[:32]
    with pytest.raises(TokenRefused, match="the access token is not valid; log in or refresh"):
        AccessTokens(ring).read(jwt.encode(dict(CONTENT) | content, key, algorithm, headers))


def test_unsigned_and_changed_tokens_are_refused(ring: MountedCredential) -> None:
    tokens = AccessTokens(ring)
    head, body, mac = tokens.issue(CLAIMS, datetime.now(UTC)).split(".")
    none = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt", "kid": "1"}).encode()).decode().rstrip("=")
    )
    changed = base64.urlsafe_b64encode(json.dumps(dict(CONTENT) | {"sub": "root"}).encode()).decode().rstrip("=")
    for token in (
        f"{none}.{body}.",
        f"{none}.{body}.{mac}",
        f"{head}.{changed}.{mac}",
        f"{head}.{body}.",
        "",
        "a.b.c",
        "é",
    ):
        with pytest.raises(TokenRefused):
            tokens.read(token)
    with pytest.raises(TokenRefused):
        tokens.read("x" * 100_000)


def test_refresh_tokens_are_told_by_their_form() -> None:
    token = mint_refresh()
    assert is_refresh(token)
    assert token != mint_refresh()
    assert not is_refresh(token + "x")
    assert not is_refresh(str(uuid4()))


# the chain


def chain(entries: list[Entry]) -> list[Link]:
    links: list[Link] = []
    for seq, entry in enumerate(entries, 1):
        previous = links[-1].hash if links else START
        links.append(Link(seq, NOW, entry, link_hash(previous, seq, NOW, entry)))
    return links


ENTRIES = [Entry("ravi", "key.create", f"key {n}", "192.0.2.1", {"role": "trader", "days": n}) for n in range(4)]


def test_an_untouched_chain_holds() -> None:
    assert first_broken(chain(ENTRIES)) is None
    assert first_broken([]) is None


@given(
    st.integers(0, 3), st.sampled_from(["actor", "action", "subject", "address", "detail", "at", "out", "swap", "add"])
)
def test_whatever_is_done_to_a_chain_is_found(place: int, change: str) -> None:
    links = chain(ENTRIES)
    link = links[place]
    if change == "out":
        del links[place]
        found = first_broken(links)
        # without what comes after it, the end of a chain cannot tell that it has been cut off
        assert found == (place + 1 if place < 3 else None)
        return
    if change == "swap":
        other = (place + 1) % 4
        links[place], links[other] = links[other], links[place]
    elif change == "add":
        links.insert(place, replace(link, entry=Entry("eve", "key.create", "hers")))
    elif change == "at":
        links[place] = replace(link, at=NOW + timedelta(microseconds=1))
    else:
        value: Any = {"role": "admin"} if change == "detail" else "eve"
        links[place] = replace(link, entry=replace(link.entry, **{change: value}))
    assert first_broken(links) is not None
