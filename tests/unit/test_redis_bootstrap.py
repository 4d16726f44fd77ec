"""Which role a starting data node takes, and whom a Sentinel without memory watches."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.redis.image.bootstrap import (
    CONTRADICTION_S,
    PROMOTION_S,
    SAME_MOMENT_S,
    Decision,
    Follow,
    Lead,
    Wait,
    Whole,
    decide,
    heir,
    watched_master,
)
from components.redis.image.state import LastSeen, MemberState, SentinelState

ADDRESSES = {f"10.0.0.{n}:6379": n for n in range(3)}
ADDRESS = {n: address for address, n in ADDRESSES.items()}
EMPTY, RICH = MemberState(has_data=False), MemberState(has_data=True)
NEW = SentinelState(running=False, configured=False)
STARTING = SentinelState(running=False, configured=True)


def master(replicas: int = 2, offset: int = 100) -> MemberState:
    return MemberState(has_data=True, role="master", replicas=replicas, offset=offset)


def replica(of: int, *, link_up: bool = True, offset: int = 0) -> MemberState:
    return MemberState(has_data=True, role="replica", master=ADDRESS[of], link_up=link_up, offset=offset)


def knows(ordinal: int, epoch: int = 1, *, failover: bool = False) -> SentinelState:
    return SentinelState(running=True, configured=True, master=ADDRESS[ordinal], epoch=epoch, failover=failover)


def seen(peers: dict[int, MemberState], *watchers: SentinelState | None) -> Whole:
    answered = {n: watcher for n, watcher in enumerate(watchers) if watcher}
    return Whole(members=3, sentinels=3, peers=peers, watchers=answered, addresses=ADDRESSES, down_after_s=4)


def last(at: int, role: str = "replica", offset: int = 0) -> MemberState:
    return MemberState(has_data=True, last_seen=LastSeen(at=at, role=role, offset=offset))  # type: ignore[arg-type]


def decided(me: int, mine: MemberState, whole: Whole, waited_s: float = 0) -> Decision:
    return decide(me, mine, whole, waited_s=waited_s)


def test_the_first_start_ever_is_led_by_the_lowest_ordinal() -> None:
    empty = {0: EMPTY, 1: EMPTY, 2: EMPTY}
    for me in range(3):
        others = {n: state for n, state in empty.items() if n != me}
        decision = decided(me, EMPTY, seen(others, NEW, NEW, NEW))
        assert isinstance(decision, Lead if me == 0 else Wait)


def test_the_others_follow_the_first_master_before_any_sentinel_knows_it() -> None:
    assert decided(1, EMPTY, seen({0: master(0), 2: EMPTY}, NEW, NEW, NEW)) == Follow(0, "it runs as the master")


@pytest.mark.parametrize("peers", [{}, {1: EMPTY}, {2: EMPTY}])
def test_no_first_master_before_everybody_has_answered(peers: dict[int, MemberState]) -> None:
    decision = decided(0, EMPTY, seen(peers, NEW, NEW, NEW), waited_s=1e9)
    assert isinstance(decision, Wait)
    assert "does not answer" in decision.why


@pytest.mark.parametrize("watchers", [(), (knows(0),), (knows(0), STARTING, STARTING), (NEW, None, STARTING)])
def test_nobody_takes_a_role_without_more_than_half_of_the_sentinels(watchers: tuple[SentinelState, ...]) -> None:
    assert isinstance(decided(0, RICH, seen({1: EMPTY, 2: EMPTY}, *watchers), waited_s=1e9), Wait)


def test_a_reborn_first_member_follows_whom_the_sentinels_name() -> None:
    whole = seen({1: master(), 2: replica(1)}, knows(1), knows(1), None)
    assert decided(0, EMPTY, whole) == Follow(1, "the Sentinels say so")
    assert decided(0, RICH, whole) == Follow(1, "the Sentinels say so")


def test_the_newest_answer_of_the_sentinels_counts() -> None:
    assert decided(2, RICH, seen({}, knows(0, 3), knows(1, 4), knows(0, 3))) == Follow(1, "the Sentinels say so")


def test_a_crashed_master_gives_way_to_a_replica_that_ran_on() -> None:
    whole = seen({1: replica(0, link_up=False), 2: replica(0, link_up=False, offset=7)}, knows(0), knows(0), knows(0))
    decision = decided(0, RICH, whole, waited_s=4 + PROMOTION_S - 0.1)
    assert isinstance(decision, Wait)
    assert "member 2 ran on" in decision.why
    # nobody was promoted, as when the Sentinels know no replica yet
    assert isinstance(decided(0, RICH, whole, waited_s=4 + PROMOTION_S), Lead)
    assert isinstance(decided(0, replace(RICH, stopped_whole=True), whole), Lead)
    joining = replace(replica(0, offset=7), has_data=False)
    assert isinstance(decided(0, RICH, seen({1: joining}, knows(0), knows(0), knows(0))), Lead)


def test_a_master_with_its_data_goes_on_when_its_replicas_restarted_too() -> None:
    whole = seen({1: replica(0, link_up=False), 2: replica(0, link_up=False)}, knows(0), knows(0), knows(0))
    assert isinstance(decided(0, RICH, whole), Lead)


@pytest.mark.parametrize("peers", [{1: RICH, 2: EMPTY}, {1: replica(0, link_up=False)}, {2: RICH}])
def test_an_empty_master_waits_for_the_failover_however_long_it_takes(peers: dict[int, MemberState]) -> None:
    decision = decided(0, EMPTY, seen(peers, knows(0), knows(0), knows(0)), waited_s=1e9)
    assert isinstance(decision, Wait)
    assert "has data" in decision.why


def test_an_empty_master_waits_while_somebody_may_have_data() -> None:
    assert isinstance(decided(0, EMPTY, seen({1: EMPTY}, knows(0), knows(0), knows(0)), waited_s=1e9), Wait)
    assert isinstance(decided(0, EMPTY, seen({1: EMPTY, 2: EMPTY}, knows(0), knows(0), knows(0))), Lead)


def test_nobody_starts_into_a_failover() -> None:
    for known in (0, 1):
        decision = decided(0, RICH, seen({1: RICH, 2: RICH}, knows(known), knows(known, failover=True), None))
        assert decision == Wait("the Sentinels are replacing the master")


def test_a_contradiction_gets_time_but_not_for_ever() -> None:
    whole = seen({1: master(), 2: replica(1)}, knows(0), knows(0), None)
    assert isinstance(decided(0, RICH, whole, waited_s=CONTRADICTION_S - 0.1), Wait)
    assert isinstance(decided(0, RICH, whole, waited_s=CONTRADICTION_S), Lead)


def test_an_address_of_nobody_is_no_knowledge() -> None:
    ghost = replace(knows(0), master="10.9.9.9:6379")
    assert decided(1, RICH, seen({0: RICH, 2: EMPTY}, ghost, ghost, ghost)) == Wait(
        "no Sentinel knows a master and member 0 has the better claim"
    )


def test_without_memory_the_followed_one_with_data_leads() -> None:
    peers = {1: replica(0, link_up=False), 2: replica(0, link_up=False)}
    assert isinstance(decided(0, RICH, seen(peers, NEW, NEW, NEW)), Lead)
    decision = decided(0, EMPTY, seen(peers, NEW, NEW, NEW))
    assert isinstance(decision, Wait)
    assert "delete their pods" in decision.why


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({0: EMPTY, 1: EMPTY, 2: EMPTY}, 0),
        ({0: EMPTY, 1: RICH, 2: EMPTY}, 1),
        ({0: RICH, 1: RICH, 2: RICH}, 0),
        ({0: EMPTY, 1: last(100, "replica", 7), 2: last(100, "replica", 9)}, 2),
        ({0: last(100, "replica", 9), 1: last(97, "master", 7), 2: RICH}, 1),
        # a master that was cut off an hour before the others went down
        ({0: last(100, "master", 99), 1: last(3700, "replica", 7), 2: last(3700, "master", 7)}, 2),
        ({0: last(100, "master", 99), 1: last(100 + SAME_MOMENT_S + 1, "replica", 7), 2: EMPTY}, 1),
    ],
)
def test_who_leads_when_nobody_remembers(members: dict[int, MemberState], expected: int) -> None:
    assert heir(members) == expected
    for me in range(3):
        others = {n: state for n, state in members.items() if n != me}
        decision = decided(me, members[me], seen(others, NEW, NEW, NEW))
        assert isinstance(decision, Lead if me == expected else Wait)


def test_a_new_sentinel_asks_the_others_first() -> None:
    assert watched_master(seen({0: master(), 1: EMPTY}, knows(1), None, None)) == 1
    assert watched_master(seen({0: master(replicas=0), 1: master(replicas=2)}, NEW, None, None)) == 1
    assert watched_master(seen({0: EMPTY, 1: replica(0)}, NEW, STARTING, None)) is None


members = st.builds(
    MemberState,
    has_data=st.booleans(),
    last_seen=st.none()
    | st.builds(
        LastSeen,
        at=st.integers(0, 60),
        role=st.sampled_from(["master", "replica"]),
        offset=st.integers(0, 3),
    ),
)


@given(
    truth=st.tuples(members, members, members),
    known=st.none() | st.integers(0, 2),
    answers=st.lists(st.booleans(), min_size=12, max_size=12),
    waited_s=st.floats(0, 1000),
)
def test_of_nodes_that_start_together_at_most_one_leads_and_never_over_data_of_others(
    truth: tuple[MemberState, ...], known: int | None, answers: list[bool], waited_s: float
) -> None:
    """All are down, the Sentinels agree, and any question may stay without answer."""
    watcher = NEW if known is None else knows(known)
    leaders = []
    for me in range(3):
        heard = answers[me * 4 : me * 4 + 4]
        others = [n for n in range(3) if n != me]
        peers = {n: truth[n] for n, answered in zip(others, heard[:2], strict=True) if answered}
        whole = seen(peers, watcher, *(watcher if answered else None for answered in heard[2:]))
        if isinstance(decided(me, truth[me], whole, waited_s), Lead):
            leaders.append(me)
    assert len(leaders) <= 1
    for leader in leaders:
        assert truth[leader].has_data or not any(state.has_data for state in truth)


@given(truth=st.tuples(members, members, members), known=st.none() | st.integers(0, 2))
def test_with_all_answers_somebody_leads_unless_the_named_master_lost_its_data(
    truth: tuple[MemberState, ...], known: int | None
) -> None:
    watcher = NEW if known is None else knows(known)
    decisions = [
        decided(me, truth[me], seen({n: truth[n] for n in range(3) if n != me}, watcher, watcher, watcher))
        for me in range(3)
    ]
    lost = known is not None and not truth[known].has_data and any(state.has_data for state in truth)
    assert sum(isinstance(decision, Lead) for decision in decisions) == (0 if lost else 1)


def test_states_survive_the_wire() -> None:
    for member, role in itertools.product((EMPTY, RICH, master(), replica(1), last(5, "master", 3)), (None, "master")):
        state = replace(member, role=role)  # type: ignore[arg-type]
        assert MemberState.from_json(state.to_json()) == state
    for watcher in (NEW, STARTING, knows(2, 7, failover=True)):
        assert SentinelState.from_json(watcher.to_json()) == watcher
