"""The operations on one object: create, update, read, delete, each against the API server and with its wait."""

import http.client
from typing import Any, Final, NamedTuple

from toolchain.plugins.kubernetes import await_, ownership
from toolchain.plugins.kubernetes.await_.loop import NotReady, Waiter
from toolchain.plugins.kubernetes.client import APPLY, JSON_PATCH, MERGE_PATCH, ApiError, Client, Unreachable
from toolchain.plugins.kubernetes.config import Config
from toolchain.plugins.kubernetes.diff import parse_path
from toolchain.plugins.kubernetes.discovery import Discovery, NoMatch, Resource
from toolchain.plugins.kubernetes.engine import Engine
from toolchain.plugins.kubernetes.objects import (
    DELETION_PROPAGATION,
    PATCH_FORCE,
    SKIP_AWAIT,
    TIMEOUT_SECONDS,
    Object,
    annotation,
    dig,
    is_true,
    kind_of,
    name_of,
    namespace_of,
)

RETRY_DELAYS_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""A namespace or a CustomResourceDefinition of the same program may come a little later than what needs it."""

MIGRATION_TRIES: Final = 5
DELETE_TIMEOUT_S: Final = 600.0
PROPAGATION: Final = {"orphan": "Orphan", "background": "Background", "foreground": "Foreground"}
CONFLICT_HELP: Final = (
    "server-side apply field conflict detected, see https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/"
    "managing-resources-with-server-side-apply/#handle-field-conflicts-on-existing-resources for troubleshooting help"
)
EXISTS_HELP: Final = """
The resource already exists in the cluster. This can happen when:
  - Renaming a Pulumi resource: use an alias to preserve the identity, or use deleteBeforeReplace \
if the resource needs replacement.
  - Managing an existing resource: use a Patch resource (e.g. NamespacePatch) to manage specific fields \
without owning the resource lifecycle.
  - Adopting a resource into Pulumi: use `pulumi import`. Note that protected resources (e.g. kube-system) \
cannot be deleted on destroy.
  - Intentional upsert: set upsertExistingObjects on the provider to allow server-side apply \
to update existing objects on create."""


class Refused(Exception):
    """The server did not do what was asked, and nothing has changed; the text is for a person."""


class Target(NamedTuple):
    """One resource of the program and how it is managed."""

    urn: str
    inputs: Object
    manager: str
    patch: bool
    """Whether it is a Patch resource."""
    timeout_s: float = 0.0
    """The resource's customTimeouts; 0 for none."""
    former: str = ""
    """The field manager of the last time, if there was one."""

    def wait_s(self, default: float) -> float:
        """How long to wait: the annotation, else customTimeouts, else the default."""
        told = annotation(self.inputs, TIMEOUT_SECONDS)
        try:
            return float(told) if told else self.timeout_s or default
        except ValueError as error:
            raise Refused(f"{TIMEOUT_SECONDS} = {told!r}: not a number of seconds") from error


class Cluster:
    """A cluster, by the operations that the provider needs."""

    def __init__(self, client: Client, discovery: Discovery, engine: Engine, config: Config) -> None:
        self._client, self._discovery, self._engine, self._config = client, discovery, engine, config

    # --- create -------------------------------------------------------------------------------------------------------

    def create(self, target: Target, *, preview: bool) -> Object:
        """Create the object, or fail if it exists; a preview asks the server to check it only.

        Raises:
            ApiError: the server's refusal.
            NoMatch: the kind is not served, even after some seconds.
            NotReady: created, but not ready in time.
        """
        live = self._create_patiently(target, preview=preview)
        return live if preview else self._wait(target, live)

    def _create_patiently(self, target: Target, *, preview: bool) -> Object:
        for attempt in range(len(RETRY_DELAYS_S) + 1):
            try:
                return self._create_once(target, preview=preview)
            except (NoMatch, ApiError) as error:
                early = isinstance(error, NoMatch) or error.namespace_missing
                if preview or not early or attempt == len(RETRY_DELAYS_S):
                    raise
                self._engine.status(target.urn, f"Retry #{attempt + 1}; creation failed: {error}")
                self._client.pause(RETRY_DELAYS_S[attempt])
        raise AssertionError("the last attempt raises")

    def _create_once(self, target: Target, *, preview: bool) -> Object:
        resource = self._discovery.resource(kind_of(target.inputs), fresh=True)
        if not resource.namespaced and namespace_of(target.inputs):
            # The provider's default namespace, given to a kind that nobody knew when the inputs were checked.
            metadata = {key: value for key, value in target.inputs["metadata"].items() if key != "namespace"}
            target = target._replace(inputs={**target.inputs, "metadata": metadata})
        if target.patch or self._config.upsert:
            return self._apply(resource, target, target.inputs, preview=preview)
        collection = resource.path(self._namespace(resource, target.inputs))
        params = self._params(target.manager, preview=preview)
        try:
            live = self._send("POST", collection, target, params, target.inputs)
        except ApiError as error:
            if error.reason == "AlreadyExists" and not preview:
                raise Refused(f"{error}{EXISTS_HELP}") from error
            raise
        if preview or not self._config.server_side_apply:
            return live
        try:
            # At once, so that the dry run of the first update finds what it would find later.
            return self._own(f"{collection}/{name_of(live)}", live, target)
        except (ApiError, Unreachable):
            return live  # the object is there, and the first update tries again

    # --- update -------------------------------------------------------------------------------------------------------

    def update(
        self, target: Target, old_live: Object, old_inputs: Object, ignore: list[str], *, preview: bool
    ) -> Object:
        """Bring the object to its new inputs; a preview asks the server to check them only."""
        resource = self._discovery.resource(kind_of(target.inputs), fresh=True)
        place = resource.path(self._namespace(resource, old_live), name_of(old_live))
        live: Object = self._client.get(place)
        params = self._params(target.manager, preview=preview)
        if resource.kind.kind == "CustomResourceDefinition":
            # A definition is replaced as a whole: versions and schemas that are gone must go.
            version = {"resourceVersion": dig(live, "metadata", "resourceVersion")}
            body = {**target.inputs, "metadata": {**target.inputs["metadata"], **version}}
            updated = self._send("PUT", place, target, params, body)
        elif self._config.server_side_apply:
            wanted = _with_live(target.inputs, live, ignore)
            updated = self._apply(resource, target, wanted, preview=preview, live=live)
        else:
            updated = self._send("PATCH", place, target, params, _merge_patch(old_inputs, target.inputs), MERGE_PATCH)
        return updated if preview else self._wait(target, updated)

    def relinquish(self, live: Object, manager: str) -> None:
        """Give up what the manager owns of an object; fields that nobody else owns go."""
        resource = self._discovery.resource(kind_of(live))
        identity = {"name": name_of(live)} | ({"namespace": namespace_of(live)} if namespace_of(live) else {})
        empty = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": identity}
        place = resource.path(namespace_of(live), name_of(live))
        try:
            self._client.get(place)  # applying to what is gone would create it
        except ApiError as error:
            if error.code == http.client.NOT_FOUND:
                return
            raise
        self._client.request("PATCH", place, params={"fieldManager": manager}, body=empty, content_type=APPLY)

    def _apply(
        self, resource: Resource, target: Target, inputs: Object, *, preview: bool, live: Object | None = None
    ) -> Object:
        place = resource.path(self._namespace(resource, inputs), name_of(inputs))
        if live is not None and not preview and not target.patch:
            self._own(place, live, target)
        # A preview takes fields from other managers so that it shows what was asked for; the update says who has them.
        force = preview or self._config.patch_force or is_true(inputs, PATCH_FORCE)
        params = self._params(target.manager, preview=preview) | {"force": str(force).lower()}
        try:
            return self._send("PATCH", place, target, params, inputs, APPLY)
        except ApiError as error:
            if error.code != http.client.CONFLICT:
                raise
            who = f'The resource managed by field manager "{target.manager}"'
            raise Refused(f"{CONFLICT_HELP}\n{who} had an apply conflict: {error}") from error

    def _own(self, place: str, live: Object, target: Target) -> Object:
        """Record what we created or took over as applied by us; the object as it is then."""
        for attempt in range(MIGRATION_TRIES):
            entries = ownership.migrated(live, target.manager, target.former)
            if entries is None:
                break
            version = dig(live, "metadata", "resourceVersion")
            patch = [
                {"op": "replace", "path": "/metadata/managedFields", "value": entries},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            ]
            try:
                updated: Object = self._client.request("PATCH", place, body=patch, content_type=JSON_PATCH)[0]
                return updated
            except ApiError as error:
                # Somebody wrote in between: look again. After a few times, leave it to the next update.
                if error.code != http.client.CONFLICT or attempt + 1 == MIGRATION_TRIES:
                    break
                live = self._client.get(place)
        return live

    # --- read and delete ----------------------------------------------------------------------------------------------

    def read(self, inputs: Object, namespace: str, name: str) -> Object | None:
        """The live object; None when it, or its kind, is gone."""
        try:
            resource = self._discovery.resource(kind_of(inputs), fresh=True)
            found: Object = self._client.get(resource.path(self._space(resource, namespace), name))
        except NoMatch:
            return None
        except ApiError as error:
            if error.code == http.client.NOT_FOUND:
                return None
            raise
        return found

    def check_ready(self, urn: str, inputs: Object, live: Object) -> None:
        """Raise NotReady when the object is not ready at this moment."""
        rule = await_.rule_for(inputs)
        if rule is not None:
            Waiter(self._client, self._discovery, self._engine, urn).look(live, rule)

    def is_ready(self, live: Object) -> bool:
        """Whether the object, read afresh, is ready; true if it cannot be read."""
        fresh = self.read(live, namespace_of(live), name_of(live))
        rule = await_.rule_for(live)
        return fresh is None or rule is None or rule.judge(fresh, {}).ready

    def delete(self, target: Target, live: Object) -> None:
        """Delete the object and wait until it is gone; what is gone already is no error."""
        if target.patch:
            self.relinquish(live, target.manager)
            return
        try:
            resource = self._discovery.resource(kind_of(live), fresh=True)
        except NoMatch:
            return
        policy = PROPAGATION.get(annotation(target.inputs, DELETION_PROPAGATION).lower(), "Foreground")
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
        place = resource.path(self._namespace(resource, live), name_of(live))
        try:
            current: Object = self._client.get(place)
            self._client.request("DELETE", place, body=body)
        except ApiError as error:
            if error.code == http.client.NOT_FOUND:
                return
            raise
        if not is_true(target.inputs, SKIP_AWAIT):
            waiter = Waiter(self._client, self._discovery, self._engine, target.urn)
            waiter.until_gone(resource, current, target.wait_s(DELETE_TIMEOUT_S))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _wait(self, target: Target, live: Object) -> Object:
        self._engine.status(target.urn, "")
        try:
            rule = None if target.patch else await_.rule_for(target.inputs)
        except ValueError as error:
            raise Refused(str(error)) from error
        if rule is None:
            return live
        resource = self._discovery.resource(kind_of(live))
        waiter = Waiter(self._client, self._discovery, self._engine, target.urn)
        try:
            return waiter.until_ready(resource, live, rule, target.wait_s(rule.timeout_s))
        except (ApiError, Unreachable) as error:
            # The object is there all the same, so it has to get into the state.
            raise NotReady(f"cannot tell whether '{name_of(live)}' is ready: {error}", (), live) from error

    def _send(
        self,
        method: str,
        place: str,
        target: Target,
        params: dict[str, str],
        body: Any,  # noqa: ANN401
        content_type: str = "application/json",
    ) -> Object:
        answer, warnings = self._client.request(method, place, params=params, body=body, content_type=content_type)
        for warning in warnings:
            if not (self._config.suppress_deprecation_warnings and "deprecated" in warning):
                self._engine.warn(target.urn, warning)
        result: Object = answer
        return result

    def _params(self, manager: str, *, preview: bool) -> dict[str, str]:
        return {"fieldManager": manager, "fieldValidation": "Warn"} | ({"dryRun": "All"} if preview else {})

    def _namespace(self, resource: Resource, obj: Object) -> str:
        return self._space(resource, namespace_of(obj))

    def _space(self, resource: Resource, namespace: str) -> str:
        return (namespace or "default") if resource.namespaced else ""


def _with_live(inputs: Object, live: Object, ignore: list[str]) -> Object:
    """The inputs with ignored fields as the live object has them, so that applying does not fight over them."""
    for path in ignore:
        steps = parse_path(path)
        if "*" not in steps and dig(inputs, *steps, default=UNSET) is not UNSET:
            inputs = _set(inputs, steps, dig(live, *steps, default=UNSET))
    return inputs


UNSET: Final = object()


def _set(obj: Any, steps: tuple[str | int, ...], value: Any) -> Any:  # noqa: ANN401
    first, rest = steps[0], steps[1:]
    changed: Any = dict(obj) if isinstance(obj, dict) else list(obj)
    if rest:
        changed[first] = _set(obj[first], rest, value)
    elif value is UNSET:
        del changed[first]
    else:
        changed[first] = value
    return changed


def _merge_patch(old: Any, new: Any) -> Any:  # noqa: ANN401
    """The JSON merge patch from the old inputs to the new: keys that are gone become null."""
    patch = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            if nested := _merge_patch(old[key], value):
                patch[key] = nested
        elif key not in old or old[key] != value:
            patch[key] = value
    return patch
