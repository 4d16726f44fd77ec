"""Routes of the allowlist. No change locks out the address that it comes from."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from apiflask import APIBlueprint
from flask import g

from trading.api.access import principal, requires
from trading.api.accessmodels import MAX_NETWORKS, AllowlistOut, Listed, NetworkQuery, PutAllowlist
from trading.api.deps import dependencies
from trading.api.problems import refuse
from trading.api.writing import note, written
from trading.security.addresses import network
from trading.security.allowlist import Version
from trading.security.principal import Role
from trading.storage import allowlist
from trading.storage.connection import Connection

blueprint = APIBlueprint("allowlist", __name__, tag="admin")
CONFLICTS = {409: "Somebody else has changed the list since, or the change would lock out its editor."}


@blueprint.get("/admin/allowlist")
@requires(Role.ADMIN)
@blueprint.output(AllowlistOut)
def get_allowlist() -> AllowlistOut:
    """Tell from which addresses the API may be used."""
    return _out(dependencies().database.run(allowlist.newest))


@blueprint.put("/admin/allowlist")
@requires(Role.ADMIN)
@blueprint.input(PutAllowlist)
@blueprint.output(AllowlistOut)
@blueprint.doc(responses=CONFLICTS)
def put_allowlist(json_data: PutAllowlist) -> AllowlistOut:
    """Replace what was added to the deployment's file, on the version that was read."""
    networks = {_normal(one.network): one.note for one in json_data.networks}
    wanted = Version(json_data.version + 1, json_data.enforced, networks)

    def change(before: Version) -> Version:
        if before not in (wanted, Version(json_data.version, before.enforced, before.networks)):
            refuse(HTTPStatus.CONFLICT, "VERSION_STALE", f"the list is at version {before.number}; read it again")
        return wanted

    return _changed(change)


@blueprint.post("/admin/allowlist/networks")
@requires(Role.ADMIN)
@blueprint.input(Listed)
@blueprint.output(AllowlistOut)
@blueprint.doc(responses=CONFLICTS)
def add_network(json_data: Listed) -> AllowlistOut:
    """Add an address or a network; what is there already gets the new note."""
    return _changed_networks(lambda networks: {**networks, _normal(json_data.network): json_data.note})


@blueprint.delete("/admin/allowlist/networks")
@requires(Role.ADMIN)
@blueprint.input(NetworkQuery, location="query")
@blueprint.output(AllowlistOut)
@blueprint.doc(responses=CONFLICTS)
def remove_network(query_data: NetworkQuery) -> AllowlistOut:
    """Remove an address or a network that was added; one of the deployment's file is removed there."""
    gone = _normal(query_data.network)

    def without(networks: Mapping[str, str]) -> dict[str, str]:
        file = dependencies().allowlist.rule(Version()).file
        if gone not in networks and file and network(gone) in file.listed:
            refuse(HTTPStatus.CONFLICT, "NETWORK_IN_FILE", "this network is in the deployment's file; remove it there")
        return {text: what_for for text, what_for in networks.items() if text != gone}

    return _changed_networks(without)


def _changed_networks(change: Callable[[Mapping[str, str]], dict[str, str]]) -> AllowlistOut:
    def changed(before: Version) -> Version:
        networks = change(before.networks)
        if networks == before.networks:
            return before
        return Version(before.number + 1, before.enforced, networks)

    return _changed(changed)


def _changed(change: Callable[[Version], Version]) -> AllowlistOut:
    """Make a change, or none, in force here at once and in every other process within a second or two."""

    def work(connection: Connection) -> Version:
        before = allowlist.newest(connection, lock=True)
        after = change(before)
        if after == before:
            return before
        if len(after.networks) > MAX_NETWORKS:
            refuse(HTTPStatus.CONFLICT, "ALLOWLIST_FULL", f"there may be {MAX_NETWORKS} networks; remove one")
        if not dependencies().allowlist.rule(after).admits(g.address):
            refuse(HTTPStatus.CONFLICT, "ALLOWLIST_LOCKS_OUT", "this would lock out your own address; list it first")
        allowlist.add(connection, after, principal().name)
        note(
            connection,
            "allowlist.change",
            f"version {after.number}",
            enforced=after.enforced,
            added=sorted(after.networks.keys() - before.networks.keys()),
            removed=sorted(before.networks.keys() - after.networks.keys()),
        )
        return after

    now = written(work)
    dependencies().allowlist.take(now)
    return _out(now)


def _out(version: Version) -> AllowlistOut:
    rule = dependencies().allowlist.rule(version)
    return AllowlistOut(
        version=version.number,
        enforced=rule.enforced,
        file=None if rule.file is None else sorted(map(str, rule.file.listed)),
        networks=[Listed(network=text, note=what_for) for text, what_for in sorted(version.networks.items())],
    )


def _normal(text: str) -> str:
    return str(network(text))
