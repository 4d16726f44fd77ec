"""Reports as JSON files."""

import functools
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from toolchain.report.model import Report


class NoReport(Exception):
    """A file that holds no report; the text names it."""


@functools.cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def text(report: Report) -> str:
    """The report as JSON."""
    return _adapter().dump_json(report, indent=1).decode()


def read(path: Path) -> Report:
    """The report in a file; raises `NoReport`."""
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise NoReport(f"{path}: {error.strerror}; give a file that --json wrote") from None
    except ValidationError as error:
        raise NoReport(f"{path}: no report ({error.error_count()} problems); give a file that --json wrote") from None


def parse(source: str | bytes) -> Report:
    """The report of a JSON text; raises pydantic's ValidationError."""
    return _adapter().validate_json(source)
