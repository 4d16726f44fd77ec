"""A rotation from its beginning to its end; started again after a crash it goes on where it was.

    begun -> the stack's file -> bumped -> pulumi up -> applied -> every pod has moved -> done

Each arrow may be walked twice without harm, and the journal in the cluster says which is next.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trading.rotation.cluster import Cluster, lines
from trading.rotation.errors import RotationError
from trading.rotation.journal import Phase, Rotation, entry, unfinished
from trading.rotation.plan import to_do
from trading.rotation.stackfile import StackFile, epochs
from trading.security.audit import Entry

MOVE_WITHIN_S = 300.0
LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Rotator:
    """What a rotation works with.

    Attributes:
        file: the stack's file.
        update: brings the Secrets of these kinds in step with the file.
        hold: raises `RotationError` when the lock was lost.
        actor: who does it, for the journal.
        move_within_s: how long pods may take to follow.
        look_every_s: how often they are asked.
    """

    file: StackFile
    cluster: Cluster
    update: Callable[[Sequence[str]], None]
    hold: Callable[[], None]
    actor: str
    say: Callable[[str], None]
    move_within_s: float = MOVE_WITHIN_S
    look_every_s: float = LOOK_EVERY_S

    def planned(self, kinds: Sequence[str], *, rollback: bool = False, retire: bool = False) -> Rotation:
        """What there is to do; nothing is changed. Raises `RotationError` when it may not be done."""
        deployed = self.cluster.epochs()
        if not deployed:
            raise RotationError("the cluster has no credentials of this stack; bring the platform up first")
        links, _ = self.cluster.journal()
        file = epochs(self.file.read())
        return to_do(kinds, file, deployed, links, rollback=rollback, retire=retire)

    def run(self, kinds: Sequence[str], *, rollback: bool = False, retire: bool = False) -> None:
        """Rotate, or finish what has stopped on its way."""
        rotation = self.planned(kinds, rollback=rollback, retire=retire)
        links, _ = self.cluster.journal()
        if rotation == unfinished(links):
            self.say(f"going on with what has stopped at '{rotation.phase}'")
        else:
            if not rotation.is_back:  # a way back is there to mend what is not whole
                self._require_whole(self._present(rotation.kinds))
            self._note([rotation])
        going: Rotation | None = rotation
        while going is not None:
            going = self._next(going)

    def _next(self, rotation: Rotation) -> Rotation | None:
        """One phase further; None when all is done."""
        self.hold()
        match rotation.phase:
            case Phase.BEGUN:
                self.file.write_epochs(rotation.wanted)
                self.say("\n".join(f"{self.file.path.name}: {step}" for step in rotation.steps))
                return self._note([rotation.at(Phase.BUMPED)])
            case Phase.BUMPED:
                self._apply(rotation)
                return self._note([rotation.at(Phase.APPLIED)])
            case Phase.APPLIED:
                self._wait(rotation.wanted)
                done = rotation.at(Phase.DONE)
                return self._note([done, *([rotation.following()] if rotation.again else [])])
            case Phase.DONE:
                self.say(_farewell(rotation))
                return None

    def _apply(self, rotation: Rotation) -> None:
        self.file.write_epochs(rotation.wanted)  # begun on another machine, whose checkout this is not
        if self._present(rotation.kinds) != rotation.wanted:
            if (unready := self.cluster.unready()) and not rotation.is_back:
                raise RotationError(f"not into a platform that is not whole:{lines(unready)}")
            self.say("pulumi up, of these credentials alone")
            self.update(rotation.kinds)
        found = self._present(rotation.kinds)
        if found != rotation.wanted:
            raise RotationError(f"after pulumi up the cluster has {found}, not {dict(rotation.wanted)}; see its state")

    def _require_whole(self, present: Mapping[str, int]) -> None:
        """Refuse to begin where a pod is missing, or has not come to the present epoch yet."""
        if found := [*self.cluster.unready(), *self.cluster.behind(present)]:
            raise RotationError(f"not into a platform that is not whole; mend this first:{lines(found)}")

    def _wait(self, wanted: Mapping[str, int]) -> None:
        deadline, said = time.monotonic() + self.move_within_s, 0
        while found := self.cluster.behind(wanted):
            self.hold()
            if time.monotonic() > deadline:
                raise RotationError(
                    f"not moved within {self.move_within_s:g} s:{lines(found)}\nboth passwords are good meanwhile; "
                    "run the same command again to go on, or with --rollback to go back"
                )
            if len(found) != said:
                said = len(found)
                self.say(f"{said} to move: {', '.join(sorted({line.split(':')[0] for line in found}))}")
            time.sleep(self.look_every_s)

    def _present(self, kinds: Sequence[str]) -> dict[str, int]:
        deployed = self.cluster.epochs()
        return {kind: deployed[kind] for kind in kinds if kind in deployed}

    def _note(self, rotations: Sequence[Rotation]) -> Rotation:
        entries: list[Entry] = [entry(rotation, self.actor) for rotation in rotations]
        self.hold()
        self.cluster.note(entries)
        return rotations[-1]


def _farewell(rotation: Rotation) -> str:
    """What the rotation leaves behind."""
    past = ", ".join(f"{step.kind} {step.after - 2}" for step in rotation.steps if step.after > 2)
    if rotation.is_back:
        return "back: every node and client uses the passwords of before; those that they came from are gone"
    gone = f"; out of use by now: {past}" if past else ""
    return f"done: every node and client has moved; the passwords of before stay good until the next rotation{gone}"
