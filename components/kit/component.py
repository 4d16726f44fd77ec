"""The base class of every component: one way to take options, to parent children and to register outputs."""

from collections.abc import Sequence
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

    def child(self, *, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.ResourceOptions:
        """Options of a child: it takes provider and protection through its parent, and nothing else of the caller's."""
        return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on) or None)
