"""What counts as a secret in plain sight, and what does not."""

import pytest

from policies.rules.secrets import shape


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN EC PRIVATE KEY-----",
        "postgres://app:hunter2@db/app",
        "export DB_PASSWORD=hunter2",
        '{"api_key": "hunter2-hunter2"}',
        "password: hunter2",
        "masterauth hunter2",
        "sentinel auth-pass shop hunter2",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x",
    ],
)
def test_a_secret_is_seen(text: str) -> None:
    assert shape(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "password_encryption: scram-sha-256",
        "password_file: /credentials/password",
        "PASSWORD: $(PASSWORD)",
        "password: ${DB_PASSWORD}",
        "token: null",
        "secret: {}",
        "host all all all scram-sha-256",
        "http://example.com/a:b@c",
        "https://registry.example.com:5000/x",
        "max_token_count: 3",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert shape(text) is None
