"""Numbers that tests measured, printed at the end of the run, also when everything passed."""

from collections.abc import Callable

import pytest

Measured = Callable[[str, object], None]
NUMBERS: pytest.StashKey[list[str]] = pytest.StashKey()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Note a number: `measured("no-change preview", "5.1 s")`."""

    def note(name: str, value: object) -> None:
        request.config.stash.setdefault(NUMBERS, []).append(f"{name}: {value}")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    if lines := config.stash.get(NUMBERS, []):
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.line(line)
