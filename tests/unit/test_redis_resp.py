"""The client of the Redis protocol, against a socket that sends what the test says."""

import socket
import threading
from pathlib import Path

import pytest

from components.redis.image.resp import CommandError, Connection

SECRET = "n" * 32


def served(path: Path, *replies: bytes) -> None:
    """Listen on a Unix socket and send one reply for each read, then close."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1)

    def run() -> None:
        with listener, listener.accept()[0] as peer:
            for reply in replies:
                peer.recv(65536)
                peer.sendall(reply)

    threading.Thread(target=run, daemon=True).start()


def test_the_client_reads_every_kind_of_reply(tmp_path: Path) -> None:
    served(
        tmp_path / "s", b"+OK\r\n", b"*4\r\n$3\r\na\r\n\r\n:-7\r\n$-1\r\n*-1\r\n", b"-INPROG busy\r\n", b"$9\r\nhalf"
    )
    with Connection(tmp_path / "s", user="agent", password="key") as connection:
        assert connection.command("X") == ["a\r\n", -7, None, None]
        with pytest.raises(CommandError, match="busy") as error:
            connection.command("X")
        assert error.value.code == "INPROG"
        with pytest.raises(ConnectionResetError):
            connection.command("X")


def test_a_refused_login_is_an_error_that_does_not_name_the_password(tmp_path: Path) -> None:
    served(tmp_path / "s", b"-WRONGPASS invalid username-password pair\r\n")
    with pytest.raises(CommandError) as error:
        Connection(tmp_path / "s", user="admin", password=SECRET)
    assert error.value.code == "WRONGPASS"
    assert SECRET not in str(error.value)
