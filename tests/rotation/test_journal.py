"""The journal proves that nobody altered it, and the status follows from it."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from trading.rotation.errors import RotationError
from trading.rotation.journal import Phase, Rotation, Step, decode, encode, entry, grown
from trading.rotation.status import metrics, standings, table

AT = datetime(2026, 3, 1, tzinfo=UTC)
ROTATION = Rotation((Step("api", 1, 2), Step("jwt", 4, 5)))


def chain() -> str:
    phases = (Phase.BEGUN, Phase.BUMPED, Phase.APPLIED, Phase.DONE)
    return encode(grown([], [entry(ROTATION.at(phase), "ops") for phase in phases], AT))


def test_it_is_read_as_it_was_written() -> None:
    links = decode(chain())
    assert encode(links) == chain()
    assert [link.entry.detail["steps"] for link in links] == [{"api": [1, 2], "jwt": [4, 5]}] * 4


@pytest.mark.parametrize(
    "alter",
    [
        lambda lines: lines[1:],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[0].replace('"ops"', '"nobody"'), *lines[1:]],
        lambda lines: [lines[0], json.dumps({"seq": 2})],
        lambda lines: [lines[0], "x"],
    ],
    ids=["first gone", "middle gone", "another actor", "not an entry", "no JSON"],
)
def test_an_altered_journal_is_refused(alter: object) -> None:
    assert callable(alter)
    with pytest.raises(RotationError, match="the log of rotations was altered at entry"):
        decode("\n".join(alter(chain().splitlines())))


def test_ages_come_from_the_journal_and_the_first_epochs_from_their_secrets() -> None:
    made = {kind: AT - timedelta(days=100) for kind in ("api", "jwt", "redis-app", "redis-admin")}
    deployed = {"api": 2, "jwt": 6, "redis-app": 1, "redis-admin": 1}
    found = standings(deployed, made, decode(chain()), {"redis-admin": 120})
    now = AT + timedelta(days=3)
    assert {one.kind: (one.age(now), one.is_overdue(now)) for one in found} == {
        "api": (timedelta(days=3), False),
        "jwt": (None, True),  # rotated by something else since
        "redis-app": (timedelta(days=103), True),
        "redis-admin": (timedelta(days=103), False),
    }
    assert "redis-app" in table(found, now)
    assert table(found, now).count("overdue") == 2
    assert 'trading_credential_age_seconds{kind="api"} 259200\n' in metrics(found, now)
    assert 'trading_credential_age_seconds{kind="jwt"} +Inf\n' in metrics(found, now)
    assert 'trading_credential_interval_seconds{kind="redis-admin"} 10368000\n' in metrics(found, now)
