"""What a rotation will change, from what the stack's file, the cluster and the journal say. Pure."""

from collections.abc import Mapping, Sequence

from trading.rotation.errors import RotationError
from trading.rotation.journal import Rotation, Step, last_step, unfinished
from trading.security.audit import Link

Epochs = Mapping[str, int]


def to_do(
    kinds: Sequence[str], file: Epochs, deployed: Epochs, links: Sequence[Link], *, rollback: bool, retire: bool
) -> Rotation:
    """The rotation that has stopped on its way, or a new one; its phase says whether it is.

    Args:
        kinds: what is asked for.
        file: kind to epoch in the stack's file.
        deployed: kind to epoch in the cluster.
        links: the journal.
        rollback: back to the epoch before, instead of on to the next.
        retire: take a second step when the first is done, so that no password of today is good any more.

    Raises:
        RotationError: the epochs do not allow it; all problems at once.
    """
    begun = unfinished(links)
    if begun is None:
        return Rotation(tuple(_steps(kinds, file, deployed, links, rollback=rollback)), again=retire)
    if begun.kinds != tuple(sorted(kinds)):
        raise RotationError(
            f"a rotation of {', '.join(begun.kinds)} has stopped at '{begun.phase}'; finish it first, under the name "
            "that it was begun with, or take it back with --rollback"
        )
    found = _strays(file, {step.kind: {step.before, step.after} for step in begun.steps})
    if found:
        raise RotationError("\n".join(found))
    if rollback and not begun.is_back:
        return Rotation(tuple(Step(step.kind, step.after, step.before) for step in begun.steps))
    return begun


def _steps(
    kinds: Sequence[str], file: Epochs, deployed: Epochs, links: Sequence[Link], *, rollback: bool
) -> list[Step]:
    present = {kind: deployed[kind] for kind in kinds if kind in deployed}
    found = [f"{kind}: the cluster has no Secret credentials-{kind}; bring the platform up first" for kind in kinds
             if kind not in present]  # fmt: skip
    by = -1 if rollback else 1
    # a file that is one step ahead was changed in a pull request: then this is what carries it out
    found += _strays(file, {kind: {epoch, epoch + by} for kind, epoch in present.items()})
    if rollback:
        found += [trouble for kind, epoch in present.items() if (trouble := _no_way_back(kind, epoch, links))]
    if found:
        raise RotationError("\n".join(found))
    return [Step(kind, epoch, epoch + by) for kind, epoch in present.items()]


def _strays(file: Epochs, allowed: Mapping[str, set[int]]) -> list[str]:
    """A line for each epoch in the file that is none of those allowed."""
    found = []
    for kind, epochs in allowed.items():
        field, good = f"credentials.{kind}", " or ".join(map(str, sorted(epochs)))
        if kind not in file:
            found.append(f"{field}: the stack's file does not have it; add it, as {min(epochs)}")
        elif file[kind] > max(epochs):
            why = "a skipped epoch renews both passwords at once, and nobody could log in"
            found.append(f"{field} = {file[kind]}: must be {good}: {why}; correct it")
        elif file[kind] < min(epochs):
            why = "the cluster is further; this is an old checkout, or edited by hand"
            found.append(f"{field} = {file[kind]}: must be {good}: {why}; pull, or correct it")
        elif file[kind] not in epochs:
            found.append(f"{field} = {file[kind]}: must be {good}; correct it")
    return found


def _no_way_back(kind: str, epoch: int, links: Sequence[Link]) -> str | None:
    """Why the password of the epoch before is not there any more; None when it is."""
    last = last_step(links, kind)
    if epoch == 1:
        return f"{kind}: epoch 1 is the first; there is nothing to go back to"
    if last is not None and last.after < last.before:
        return f"{kind}: the last rotation was a step back, which renewed the other slot; rotate forward instead"
    return None
