"""Objects from plain YAML or JSON manifests."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from policies.kit.objects import Object
from policies.kit.values import UNKNOWN, Fields

SUFFIXES = (".json", ".yaml", ".yml")
UNTIL_UP = "[known after up]"
"""What stands in a rendered manifest for a value that only the update will tell."""


class Unreadable(Exception):
    """A file is no manifest; the text names it and says why."""


def read(paths: Iterable[Path]) -> list[Object]:
    """The objects of files, and of all manifests in folders, in the order of their names.

    Raises:
        Unreadable: for the first path that is not there, or holds anything but manifests.
    """
    return [obj for path in paths for file in _files(path) for obj in _objects(file)]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
        if not found:
            raise Unreadable(f"{path}: holds no manifest ({', '.join(SUFFIXES)}); name another folder")
        return found
    if not path.is_file():
        raise Unreadable(f"{path}: there is no such file or folder")
    return [path]


def _objects(file: Path) -> Iterator[Object]:
    import yaml  # slow to import, and the engine never needs it

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = [document for document in yaml.load_all(file.read_text(), loader) if document is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable(f"{file}: is no YAML" + (f", line {mark.line + 1}" if mark else "")) from None
    for document in documents:
        yield from _of(document, file)


def _of(document: Any, file: Path) -> Iterator[Object]:  # noqa: ANN401  YAML
    if not isinstance(document, dict) or not all(isinstance(document.get(key), str) for key in ("apiVersion", "kind")):
        raise Unreadable(f"{file}: a document has no apiVersion and kind; leave files that are no manifests out")
    if document["kind"] == "List":
        for item in document.get("items") or ():
            yield from _of(item, file)
    else:
        yield Object(document["kind"], document["apiVersion"], Fields(_known(document)), source=str(file))


def _known(value: Any) -> Any:  # noqa: ANN401  YAML
    if isinstance(value, dict):
        return {str(key): _known(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return UNKNOWN if value == UNTIL_UP else value
