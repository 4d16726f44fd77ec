"""Who may call the API: whoever knows the value of either slot of the credential `api`."""

import hmac

from trading.security.credentials import MountedCredential


def is_valid(presented: str, keys: MountedCredential) -> bool:
    """Whether it is one of the two keys; takes the same time for every wrong one.

    Raises:
        CredentialError: there are no keys to compare with.
    """
    matches = [hmac.compare_digest(presented.encode(), key.encode()) for _, key in keys.get().in_order()]
    return any(matches)
