"""The secrets of the backups: the passphrase of the repository, the seed of its certificates, the keys of its store.

None of them is among the kinds that rotate. A new passphrase opens no old backup, and pgBackRest has one for a whole
repository: to change it is to begin a new one (docs/backup.md). The seed lets in whoever has it to what the passphrase
protects anyway.
"""

import base64
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_random import RandomPassword

from components.credentials.args import BACKUP_KIND, BACKUP_TLS_KIND, SECRET_NAMES
from components.kit.component import Component
from components.kit.labels import labels
from components.kit.metadata import metadata

LENGTH = 48
KEEPERS = {"repository": "1"}


@dataclass(frozen=True, kw_only=True)
class BackupSecretsArgs:
    """What the user gives.

    Attributes:
        namespace: where the Secrets go.
        passphrase: that of a repository that is there already; None makes one.
        s3_key: access key of the S3 store, with its secret; None where there is none.
        s3_key_secret: its secret.
    """

    namespace: str
    passphrase: pulumi.Input[str] | None = None
    s3_key: pulumi.Input[str] | None = None
    s3_key_secret: pulumi.Input[str] | None = None


class BackupSecrets(Component):
    """Secrets `credentials-postgres-backup` and `credentials-postgres-backup-tls`.

    Attributes:
        passphrase: of the repository; a secret. Whoever loses it with the stack's state loses the backups.
    """

    token = "trading:credentials:BackupSecrets"

    def __init__(self, name: str, args: BackupSecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        made = {part: self._generated(f"{name}-{part}") for part in ("passphrase", "seed")}
        given = args.passphrase if args.passphrase is not None else made["passphrase"]
        self.passphrase = pulumi.Output.secret(given)
        store = {"s3-key": args.s3_key, "s3-key-secret": args.s3_key_secret}
        keys = {key: value for key, value in store.items() if value is not None}
        self._secret(f"{name}-repository", BACKUP_KIND, args, {"passphrase": given, **keys})
        self._secret(f"{name}-tls", BACKUP_TLS_KIND, args, {"seed": made["seed"]})
        self.register_outputs({})

    def _generated(self, name: str) -> pulumi.Output[str]:
        return RandomPassword(name, length=LENGTH, special=False, keepers=KEEPERS, opts=self.child()).result

    def _secret(self, name: str, kind: str, args: BackupSecretsArgs, values: dict[str, pulumi.Input[str]]) -> None:
        Secret(
            name,
            type="Opaque",
            metadata=metadata(SECRET_NAMES[kind], args.namespace, labels("credentials", kind)),
            data={key: pulumi.Output.from_input(value).apply(_base64) for key, value in values.items()},
            opts=self.child(),
        )


def _base64(text: str) -> str:
    return base64.b64encode(text.strip().encode()).decode()
