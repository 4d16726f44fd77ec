"""The waiting itself: follow an object by a watch, judge it at each change, tell the CLI, give up in time."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from toolchain.plugins.kubernetes.await_.diagnosis import explain
from toolchain.plugins.kubernetes.await_.status import Query, Rule, Status
from toolchain.plugins.kubernetes.client import ApiError, Client, Interrupted, Unreachable
from toolchain.plugins.kubernetes.discovery import Discovery, NoMatch, Resource
from toolchain.plugins.kubernetes.engine import Engine
from toolchain.plugins.kubernetes.objects import Object, dig, kind_of, name_of, namespace_of

TICK_S: Final = 3
"""How long a watch lasts: related objects are looked at again at least so often."""

GONE: Final = 404
RETRY_S: Final = 1.0

T = TypeVar("T")


class NotReady(Exception):
    """The object is there but did not become what it should; it belongs into the state all the same."""

    def __init__(self, headline: str, problems: tuple[str, ...], obj: Object) -> None:
        super().__init__(headline)
        self.problems = problems
        self.obj = obj


class Waiter:
    """Waits on behalf of one resource of the program."""

    def __init__(self, client: Client, discovery: Discovery, engine: Engine, urn: str) -> None:
        self._client, self._discovery, self._engine, self._urn = client, discovery, engine, urn

    def until_ready(self, resource: Resource, obj: Object, rule: Rule, timeout_s: float) -> Object:
        """Wait until the rule holds; the object as it is then. Raises NotReady."""
        deadline = time.monotonic() + timeout_s
        status = Status(ready=False)
        ready_since = time.monotonic()
        settled_on: tuple[str, ...] = ()
        events = self._events(resource, obj, rule, deadline)
        try:
            while True:
                related = self._patiently(partial(self._related, rule, obj), deadline)
                status, seen, now = rule.judge(obj, related), _versions(related), time.monotonic()
                if status.failed:
                    headline = f"Resource '{name_of(obj)}' was created but failed to initialize"
                    raise self._failure(headline, status, obj, related)
                if not status.ready or seen != settled_on:
                    ready_since, settled_on = now, seen
                if status.ready and (now - ready_since >= status.settle_s or now >= deadline):
                    self._engine.status(self._urn, "")
                    return obj
                if now >= deadline:
                    raise self._failure(f"'{name_of(obj)}' timed out waiting to be Ready", status, obj, related)
                self._engine.status(self._urn, status.message)
                obj = next(events)
        except Interrupted:
            raise NotReady(f"Resource operation was cancelled for '{name_of(obj)}'", status.problems, obj) from None

    def look(self, obj: Object, rule: Rule) -> None:
        """Judge the object as it is now. Raises NotReady when it is not what it should be."""
        related = self._related(rule, obj)
        status = rule.judge(obj, related)
        if not status.ready:
            headline = f"Resource '{name_of(obj)}' was created but failed to initialize"
            raise NotReady(headline, status.problems, obj)

    def until_gone(self, resource: Resource, obj: Object, timeout_s: float) -> None:
        """Wait until the object is deleted. Raises NotReady, which names finalizers that hold it."""
        deadline = time.monotonic() + timeout_s
        namespace, name, uid = namespace_of(obj), name_of(obj), dig(obj, "metadata", "uid")
        path = resource.path(namespace)
        current = obj
        while True:
            finalizers = ", ".join(dig(current, "metadata", "finalizers", default=[]))
            held = f"finalizers might be preventing deletion ({finalizers})" if finalizers else ""
            self._engine.status(self._urn, held or "Resource scheduled for deletion")
            left = deadline - time.monotonic()
            if left <= 0:
                why = held or "; ".join(_conditions(current)) or "it still exists"
                # One line: of a failed deletion the CLI shows no list of reasons.
                raise NotReady(f"timed out waiting for deletion of {kind_of(obj).kind} '{name}': {why}", (), current)
            try:
                self._client.check_interrupt()
                current = self._client.get(resource.path(namespace, name))
                if uid and dig(current, "metadata", "uid") != uid:
                    return
                version = dig(current, "metadata", "resourceVersion", default="")
                for event, seen in self._client.watch(
                    path,
                    timeout_s=min(TICK_S, int(left) + 1),
                    fieldSelector=f"metadata.name={name}",
                    resourceVersion=version,
                ):
                    if event == "DELETED":
                        return
                    if event != "ERROR":
                        current = seen
            except ApiError as error:
                if error.code == GONE:
                    return
                raise
            except Interrupted:
                raise NotReady(f"Resource operation was cancelled for '{name}'", (), current) from None

    def _events(self, resource: Resource, obj: Object, rule: Rule, deadline: float) -> Iterator[Object]:
        """The object again and again: at each change of it, or of what the rule follows, and at each tick."""
        namespace, name = namespace_of(obj), name_of(obj)
        if follow := rule.queries(obj).get(rule.follow):
            path = self._discovery.resource(follow.kind).path(follow.namespace)
            asked = {"labelSelector": follow.labels}
        else:
            path, asked = resource.path(namespace), {"fieldSelector": f"metadata.name={name}"}
        while True:
            left = max(1, min(TICK_S, int(deadline - time.monotonic() + 0.999)))
            newest = partial(self._client.get, path, limit="1", **asked)
            start = self._patiently(newest, deadline) if follow else obj
            version = dig(start, "metadata", "resourceVersion", default="")
            # Without an answer the object is asked for below, patiently.
            with suppress(Unreachable):
                for event, seen in self._client.watch(path, timeout_s=left, resourceVersion=version, **asked):
                    if follow or event == "ERROR":
                        break
                    if event == "DELETED":
                        raise NotReady(f"'{name}' was deleted while waiting for it to be Ready", (), obj)
                    obj = seen
                    yield obj
            obj = self._patiently(partial(self._get, resource, obj), deadline)
            yield obj

    def _patiently(self, ask: Callable[[], T], deadline: float) -> T:
        """Ask again while the server does not answer: one that restarts is back before the time is up."""
        while True:
            try:
                return ask()
            except Unreachable as error:
                if time.monotonic() >= deadline:
                    raise
                self._engine.status(self._urn, str(error))
                self._client.pause(RETRY_S)

    def _get(self, resource: Resource, obj: Object) -> Object:
        try:
            found: Object = self._client.get(resource.path(namespace_of(obj), name_of(obj)))
        except ApiError as error:
            if error.code == GONE:
                raise NotReady(f"'{name_of(obj)}' was deleted while waiting for it to be Ready", (), obj) from error
            raise
        return found

    def _related(self, rule: Rule, obj: Object) -> dict[str, list[Object]]:
        return {name: self._ask(query) for name, query in rule.queries(obj).items()}

    def _ask(self, query: Query) -> list[Object]:
        try:
            resource = self._discovery.resource(query.kind)
            if query.name:
                return [self._client.get(resource.path(query.namespace, query.name))]
            found = self._client.get(resource.path(query.namespace), labelSelector=query.labels)
        except (ApiError, NoMatch):
            return []  # a user who may not see pods can still wait for their owner
        # A list does not repeat in its items what they are.
        named = {"apiVersion": query.kind.api_version, "kind": query.kind.kind}
        return [named | item for item in found.get("items") or []]

    def _failure(self, headline: str, status: Status, obj: Object, related: dict[str, list[Object]]) -> NotReady:
        pods = [obj] if kind_of(obj).kind == "Pod" else related.get("pods", [])
        return NotReady(headline, (*status.problems, *explain(self._client, obj, pods)), obj)


def _versions(related: dict[str, list[Object]]) -> tuple[str, ...]:
    """What changes whenever one of the objects does."""
    items = (item["metadata"] for found in related.values() for item in found)
    return tuple(sorted(f"{metadata.get('uid')} {metadata.get('resourceVersion')}" for metadata in items))


def _conditions(obj: Object) -> Iterator[str]:
    for entry in dig(obj, "status", "conditions", default=[]):
        if entry.get("status") == "True" and entry.get("message"):
            yield f"[{entry.get('reason')}] {entry['message']}"
