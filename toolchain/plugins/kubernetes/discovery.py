"""Which resource of the API a kind is: its plural and its scope, asked per group and version and remembered."""

import http.client
import threading
from contextlib import suppress
from typing import NamedTuple

from toolchain.plugins.kubernetes.client import ApiError, Client, Unreachable
from toolchain.plugins.kubernetes.kinds import CLUSTER_WIDE
from toolchain.plugins.kubernetes.objects import Kind, Object, dig, text


class Resource(NamedTuple):
    """A kind as the API serves it."""

    kind: Kind
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of the collection, or of an object of it."""
        root = f"/apis/{self.kind.group}/{self.kind.version}" if self.kind.group else f"/api/{self.kind.version}"
        space = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return root + space + f"/{self.plural}" + (f"/{name}" if name else "")


class NoMatch(Exception):
    """The server does not serve this kind: its CustomResourceDefinition is missing, or not ready yet."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(f'no matches for kind "{kind.kind}" in version "{kind.api_version}"')


class Discovery:
    """The kinds of one cluster, and those that the program is about to define."""

    def __init__(self, client: Client | None) -> None:
        self._client = client
        self._served: dict[tuple[str, str], dict[str, Resource]] = {}
        self._declared: dict[tuple[str, str], bool] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()

    def resource(self, kind: Kind, *, fresh: bool = False) -> Resource:
        """The resource of a kind. Raises NoMatch. `fresh` asks the server again if the kind is not known."""
        found = self._version(kind, fresh=fresh).get(kind.kind)
        if found is None:
            raise NoMatch(kind)
        return found

    def exists(self, kind: Kind) -> bool:
        """Whether the server can be asked and serves the kind."""
        try:
            return self._client is not None and self.resource(kind) is not None
        except (NoMatch, ApiError, Unreachable):
            return False

    def namespaced(self, kind: Kind) -> bool:
        """Whether the kind lives in namespaces; the best guess where no server can tell."""
        declared = self._declared.get((kind.group, kind.kind))
        if declared is not None:
            return declared
        if self._client is not None:
            with suppress(NoMatch, ApiError, Unreachable):
                return self.resource(kind).namespaced
        return kind.kind not in CLUSTER_WIDE

    def declare(self, definition: Object) -> None:
        """Remember the scope of a CustomResourceDefinition of the program, for objects that come before it."""
        group, kind = text(dig(definition, "spec", "group")), text(dig(definition, "spec", "names", "kind"))
        scope = text(dig(definition, "spec", "scope"))
        if group and kind and scope:
            self._declared[group, kind] = scope == "Namespaced"

    def _version(self, kind: Kind, *, fresh: bool) -> dict[str, Resource]:
        key = (kind.group, kind.version)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            known = self._served.get(key)
            if known is None or (fresh and kind.kind not in known):
                known = self._served[key] = self._ask(kind)
            return known

    def _ask(self, kind: Kind) -> dict[str, Resource]:
        if self._client is None:
            return {}
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        try:
            answer = self._client.get(root)
        except ApiError as error:
            if error.code == http.client.NOT_FOUND:
                return {}
            raise
        return {
            entry["kind"]: Resource(kind._replace(kind=entry["kind"]), entry["name"], bool(entry["namespaced"]))
            for entry in answer["resources"]
            if "/" not in entry["name"]
        }
