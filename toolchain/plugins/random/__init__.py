"""The `random` provider: the resource types and semantics of pulumi-random 4.21."""
