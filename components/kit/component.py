"""The base class of every component: one way to take options, to parent children and to register outputs."""

from typing import ClassVar

import pulumi


class Component(pulumi.ComponentResource):
    """A component whose type is its class's `token` (`trading:<module>:<Name>`).

    A subclass ends its constructor with `self.register_outputs({...})`, even when the outputs are empty: without it the
    engine never learns that the component is whole. The tests fail for a component that left it out.
    """

    token: ClassVar[str]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.token, name, {}, opts)

    def child(
        self,
        *,
        depends_on: list[pulumi.Resource] | None = None,
        ignore_changes: list[str] | None = None,
        delete_before_replace: bool | None = None,
        custom_timeouts: pulumi.CustomTimeouts | None = None,
        aliases: list[str | pulumi.Alias] | None = None,
    ) -> pulumi.ResourceOptions:
        """Options of a child: it takes provider and protection through its parent, and nothing else of the caller's."""
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=depends_on,
            ignore_changes=ignore_changes,
            delete_before_replace=delete_before_replace,
            custom_timeouts=custom_timeouts,
            aliases=list(aliases) if aliases else None,
        )
