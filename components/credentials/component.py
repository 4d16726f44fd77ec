"""Credentials: two passwords a kind, in one Secret that pods mount as a folder."""

import base64

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_random import RandomPassword

from components.credentials.args import EPOCH_ANNOTATION, KINDS, SECRET_NAMES, CredentialsArgs
from components.credentials.epochs import current_slot, slot_epochs
from components.kit.component import Component
from components.kit.labels import labels
from components.kit.metadata import metadata

PASSWORD_LENGTH = 32


class Credentials(Component):
    """Secret `credentials-<kind>` for each kind: keys `a`, `b` (passwords), `current` (the slot to use), `epoch`.

    One step of an epoch replaces one password and updates one Secret. No pod template knows a value: nothing restarts.

    Attributes:
        passwords: kind and slot to the password's resource.
        secrets: kind to its Secret.
    """

    token = "trading:credentials:Credentials"

    def __init__(self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.passwords: dict[tuple[str, str], RandomPassword] = {}
        self.secrets: dict[str, Secret] = {}
        for kind in KINDS:
            self._kind(name, kind, args)
        self.register_outputs({"secret_names": dict(SECRET_NAMES)})

    def _kind(self, name: str, kind: str, args: CredentialsArgs) -> None:
        epoch = args.epoch(kind)
        for slot, slot_epoch in slot_epochs(epoch)._asdict().items():
            self.passwords[kind, slot] = RandomPassword(
                f"{name}-{kind}-{slot}",
                length=PASSWORD_LENGTH,
                special=False,  # letters and digits need no quoting in any of the files that they end up in
                keepers={"epoch": str(slot_epoch)},
                opts=self.child(),
            )
        self.secrets[kind] = Secret(
            f"{name}-{kind}",
            type="Opaque",
            # the epoch is plain, so a reader of the diff sees which generation comes
            metadata=metadata(
                SECRET_NAMES[kind], args.namespace, labels("credentials", kind), {EPOCH_ANNOTATION: str(epoch)}
            ),
            data={
                "a": self.passwords[kind, "a"].result.apply(_base64),
                "b": self.passwords[kind, "b"].result.apply(_base64),
                "current": _base64(current_slot(epoch)),
                "epoch": _base64(str(epoch)),
            },
            opts=self.child(),
        )

    def current(self, kind: str, args: CredentialsArgs) -> pulumi.Output[str]:
        """The password that clients use now; a secret."""
        return self.passwords[kind, current_slot(args.epoch(kind))].result


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
