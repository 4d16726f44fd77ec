"""How long a pod waits on a node that does not answer before it is made anew on another one."""

from pulumi_kubernetes.core.v1 import TolerationArgs

LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
WAIT_S = 10
"""After the node was found lost, which itself takes 40 to 50 s; Kubernetes' own default is 300 s."""


def leaves_lost_node() -> list[TolerationArgs]:
    """For pods without a volume or an identity: nothing that they have is on the node, so nothing is gained by waiting.

    Not for members of a store: theirs would wait for their volume all the same.
    """
    return [TolerationArgs(key=key, operator="Exists", effect="NoExecute", toleration_seconds=WAIT_S) for key in LOST]
