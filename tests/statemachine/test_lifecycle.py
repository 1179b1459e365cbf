"""The order of effects, and what a crash, a rival or a refusal at any point leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from statemachine import events as e
from statemachine.decide import Command
from statemachine.errors import AccessDeniedError, BusyError, DeadlineError, LogError, RefusedError
from statemachine.fold import Workspace
from statemachine.lifecycle import (
    OUTCOME,
    SETTLING,
    Order,
    close_command,
    open_command,
    perform,
    refresh,
)
from statemachine.ports import Presence
from statemachine.states import State
from tests.statemachine.test_decide import INTENT_OF
from tests.statemachine.worlds import ME, OTHER, Cloud, intent

GOAL = {
    Command.CREATE: Presence.RUNNING,
    Command.START: Presence.RUNNING,
    Command.STOP: Presence.STOPPED,
    Command.DELETE: Presence.ABSENT,
}


def order(cloud: Cloud, command: Command, *, fails: Exception | None = None, calls: list[bool] | None = None) -> Order:
    def effect(_workspace: Workspace, resume: bool) -> e.Receipt:
        if calls is not None:
            calls.append(resume)
        assert cloud.journal.names()[-1] == INTENT_OF[command].__name__ or resume
        if fails is not None:
            raise fails
        cloud.presence = GOAL[command]
        return e.Receipt(http_status=200, request_id="r-1")

    return Order(command, lambda _workspace: intent(INTENT_OF[command]), effect)


def run(cloud: Cloud, command: Command, **how: object) -> Workspace:
    return perform(order(cloud, command, **how), "demo", cloud.scene, deadline=60)  # type: ignore[arg-type]  # passed on


def test_a_whole_life_is_intent_then_outcome_each_time() -> None:
    cloud = Cloud()
    states = [run(cloud, command).state for command in (Command.CREATE, Command.STOP, Command.START, Command.DELETE)]
    assert states == [State.RUNNING, State.STOPPED, State.RUNNING, State.ABSENT]
    assert cloud.journal.names() == [
        "CreateRequested",
        "Created",
        "StopRequested",
        "Stopped",
        "StartRequested",
        "Started",
        "DeleteRequested",
        "Deleted",
    ]


def test_asking_twice_does_once() -> None:
    cloud = Cloud()
    calls: list[bool] = []
    run(cloud, Command.CREATE, calls=calls)
    run(cloud, Command.CREATE, calls=calls)
    assert calls == [False]


def test_polling_does_not_grow_the_log() -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    before = cloud.journal.names()
    for _ in range(5):
        refresh("demo", cloud.scene)
    assert cloud.journal.names() == before


def test_a_refusal_by_azure_is_recorded_and_raised() -> None:
    cloud = Cloud()
    denied = AccessDeniedError(
        "may not create", code="AuthorizationFailed", http_status=403, request_id="r-7", azure_message="no role"
    )
    with pytest.raises(AccessDeniedError):
        run(cloud, Command.CREATE, fails=denied)
    failure = cloud.scene.journal.recall("demo").failure
    assert failure is not None
    assert (failure.code, failure.http_status, failure.request_id) == ("AuthorizationFailed", 403, "r-7")
    assert cloud.journal.names() == ["CreateRequested", "CreateFailed"]


def test_a_defect_of_ours_is_recorded_too() -> None:
    cloud = Cloud()
    with pytest.raises(ZeroDivisionError):
        run(cloud, Command.CREATE, fails=ZeroDivisionError("oops"))
    assert cloud.journal.names() == ["CreateRequested", "CreateFailed"]


def test_an_operation_azure_is_still_at_keeps_its_intent_open() -> None:
    cloud = Cloud()
    with pytest.raises(DeadlineError):
        run(cloud, Command.CREATE, fails=DeadlineError("too slow"))
    assert cloud.journal.names() == ["CreateRequested"]


def crashed(cloud: Cloud, command: Command) -> None:
    """A process that died between its intent and its outcome."""

    def die(_workspace: Workspace, _resume: bool) -> e.Receipt:
        raise KeyboardInterrupt

    dead = Order(command, lambda _workspace: intent(INTENT_OF[command], OTHER), die)
    with pytest.raises(KeyboardInterrupt):
        perform(dead, "demo", cloud.scene, deadline=60)


def test_a_second_create_continues_a_crashed_one() -> None:
    cloud = Cloud()
    crashed(cloud, Command.CREATE)
    cloud.presence = Presence.PENDING
    calls: list[bool] = []
    assert run(cloud, Command.CREATE, calls=calls).state is State.RUNNING
    assert calls == [True], "it looks first instead of creating twice"
    assert cloud.journal.names() == ["CreateRequested", "Created"]


@pytest.mark.parametrize("command", GOAL)
def test_the_next_look_closes_what_a_crash_left_open(command: Command) -> None:
    cloud = Cloud()
    if command is not Command.CREATE:
        run(cloud, Command.CREATE)
    if command is Command.START:
        run(cloud, Command.STOP)
    crashed(cloud, command)
    cloud.presence = GOAL[command]
    workspace, _ = refresh("demo", cloud.scene)
    assert workspace.intent is None
    assert cloud.journal.names()[-1] == OUTCOME[command][0].__name__


def test_a_crash_before_azure_heard_of_it_becomes_a_failure_after_a_while() -> None:
    cloud = Cloud()
    crashed(cloud, Command.CREATE)
    workspace, _ = refresh("demo", cloud.scene)
    assert workspace.state is State.PROVISIONING, "Azure may just not show it yet"
    cloud.clock.time += SETTLING + timedelta(seconds=1)
    workspace, _ = refresh("demo", cloud.scene)
    assert workspace.state is State.ABSENT
    assert workspace.failure is not None
    assert workspace.failure.code == "Interrupted"


def test_it_waits_for_a_living_rival_and_then_has_nothing_to_do() -> None:
    cloud = Cloud()
    cloud.processes.living.add(OTHER.pid)
    crashed(cloud, Command.CREATE)

    def rival_finishes() -> None:
        cloud.presence = Presence.RUNNING
        cloud.journal.append("demo", e.Created(), expected=1)

    cloud.clock.on_sleep += [lambda: None, rival_finishes]
    calls: list[bool] = []
    assert run(cloud, Command.CREATE, calls=calls).state is State.RUNNING
    assert calls == []


def test_it_gives_up_waiting_at_the_deadline() -> None:
    cloud = Cloud()
    cloud.processes.living.add(OTHER.pid)
    crashed(cloud, Command.CREATE)
    with pytest.raises(BusyError, match="provisioning"):
        run(cloud, Command.STOP)


def test_a_delete_gets_past_a_living_create_and_the_create_learns_of_it() -> None:
    cloud = Cloud()

    def slow_create(_workspace: Workspace, _resume: bool) -> e.Receipt:
        cloud.presence = Presence.RUNNING
        run(cloud, Command.DELETE)
        return e.Receipt()

    with pytest.raises(BusyError, match="taken over"):
        perform(
            Order(Command.CREATE, lambda _workspace: intent(e.CreateRequested), slow_create),
            "demo",
            cloud.scene,
            deadline=60,
        )
    assert cloud.scene.journal.recall("demo").state is State.ABSENT


@pytest.mark.parametrize("command", [Command.CREATE, Command.START, Command.STOP, Command.DELETE])
def test_two_calls_that_continue_what_a_dead_one_began_both_succeed(command: Command) -> None:
    cloud = Cloud()
    before = {
        Command.CREATE: (),
        Command.START: (Command.CREATE, Command.STOP),
        Command.STOP: (Command.CREATE,),
        Command.DELETE: (Command.CREATE,),
    }[command]
    for earlier in before:
        run(cloud, earlier)
    crashed(cloud, command)
    first: list[Workspace] = []

    def overtaken(_workspace: Workspace, resume: bool) -> e.Receipt:
        assert resume
        first.append(run(cloud, command))
        return e.Receipt()

    second = Order(command, lambda _workspace: intent(INTENT_OF[command]), overtaken)
    assert perform(second, "demo", cloud.scene, deadline=60).state is first[0].state
    assert cloud.journal.names()[-2:] == [INTENT_OF[command].__name__, OUTCOME[command][0].__name__]


def test_events_of_others_do_not_stop_an_outcome() -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    open_command("demo", cloud.scene, lambda _workspace: e.CommandOpened(owner=ME, command="c1"))

    def stop_while_a_command_ends(_workspace: Workspace, _resume: bool) -> e.Receipt:
        cloud.journal.before_append.append(e.CommandClosed(command="c1", exit_status=129))
        cloud.presence = Presence.STOPPED
        return e.Receipt()

    stop = Order(Command.STOP, lambda _workspace: intent(e.StopRequested), stop_while_a_command_ends)
    assert perform(stop, "demo", cloud.scene, deadline=60).state is State.STOPPED
    assert cloud.journal.names()[-2:] == ["CommandClosed", "Stopped"]


@pytest.mark.parametrize(
    ("presence", "expected"),
    [
        (Presence.STOPPED, ["Exited"]),
        (Presence.ABSENT, ["Vanished"]),
        (Presence.PENDING, ["Evicted"]),
        (Presence.RUNNING, []),
    ],
)
def test_what_happened_behind_our_back_is_an_event(presence: Presence, expected: list[str]) -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    cloud.presence = presence
    refresh("demo", cloud.scene)
    assert cloud.journal.names()[2:] == expected


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_look_that_misses_the_group_for_a_moment_is_not_believed(times: int) -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    cloud.stale = [Presence.ABSENT] * times
    refresh("demo", cloud.scene)
    assert cloud.journal.names() == ["CreateRequested", "Created"]
    cloud.stale = [Presence.ABSENT] * times
    assert run(cloud, Command.DELETE).state is State.ABSENT
    assert cloud.journal.names()[2:] == ["DeleteRequested", "Deleted"]


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_look_that_shows_how_it_was_before_an_operation_is_not_believed(times: int) -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    cloud.stale = [Presence.PENDING] * times
    assert refresh("demo", cloud.scene)[0].state is State.RUNNING
    run(cloud, Command.STOP)
    cloud.stale = [Presence.RUNNING] * times
    assert refresh("demo", cloud.scene)[0].state is State.STOPPED
    run(cloud, Command.START)
    cloud.stale = [Presence.STOPPED] * times
    assert refresh("demo", cloud.scene)[0].state is State.RUNNING
    assert cloud.journal.names()[2:] == ["StopRequested", "Stopped", "StartRequested", "Started"]


def test_what_changes_long_after_an_operation_is_believed_at_once() -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    cloud.clock.time += SETTLING
    cloud.presence, before = Presence.STOPPED, cloud.looks
    assert refresh("demo", cloud.scene)[0].state is State.STOPPED
    assert cloud.looks == before + 1


@pytest.mark.parametrize("old", [Presence.RUNNING, Presence.PENDING, Presence.STOPPED])
def test_a_group_just_deleted_that_shows_once_more_is_not_adopted(old: Presence) -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    run(cloud, Command.DELETE)
    cloud.stale = [old, old]
    assert refresh("demo", cloud.scene)[1].presence is Presence.ABSENT
    cloud.stale = [Presence.ABSENT, old]
    assert run(cloud, Command.CREATE).state is State.RUNNING
    assert cloud.journal.names()[4:] == ["CreateRequested", "Created"]


def test_a_group_somebody_made_where_one_was_deleted_is_adopted() -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    run(cloud, Command.DELETE)
    cloud.presence, before = Presence.RUNNING, cloud.looks
    assert refresh("demo", cloud.scene)[0].state is State.RUNNING
    assert cloud.looks - before == 4


def test_a_clock_that_was_set_back_leaves_no_intent_open_for_long() -> None:
    cloud = Cloud()
    crashed(cloud, Command.CREATE)
    cloud.clock.time -= timedelta(days=1)
    assert refresh("demo", cloud.scene)[0].state is State.ABSENT


def test_a_group_this_log_does_not_know_is_adopted() -> None:
    cloud = Cloud(presence=Presence.RUNNING)
    workspace, _ = refresh("demo", cloud.scene)
    assert (workspace.state, workspace.group is not None) == (State.RUNNING, True)
    assert run(cloud, Command.DELETE).state is State.ABSENT


def test_deleting_an_unknown_group_does_not_wait_for_it_to_settle() -> None:
    cloud = Cloud(presence=Presence.PENDING)
    assert run(cloud, Command.DELETE).state is State.ABSENT
    assert cloud.journal.names() == ["Adopted", "Evicted", "DeleteRequested", "Deleted"]


def test_starting_what_a_dead_process_was_creating_ends_the_create() -> None:
    cloud = Cloud()
    crashed(cloud, Command.CREATE)
    cloud.presence = Presence.PENDING
    assert run(cloud, Command.START).state is State.RUNNING
    assert cloud.journal.names() == ["CreateRequested", "Created"]


def test_why_what_a_dead_process_was_creating_cannot_be_is_told_at_once() -> None:
    cloud = Cloud()
    crashed(cloud, Command.CREATE)
    cloud.presence = Presence.PENDING

    def fails(_workspace: Workspace, _resume: bool) -> e.Receipt:
        raise AccessDeniedError("no such image")

    start = Order(Command.START, lambda _workspace: intent(e.StartRequested), fails)
    with pytest.raises(AccessDeniedError):
        perform(start, "demo", cloud.scene, deadline=60)
    assert cloud.journal.names() == ["CreateRequested", "CreateFailed"]


def test_starting_what_never_reached_azure_waits_until_that_is_sure() -> None:
    cloud = Cloud()
    crashed(cloud, Command.CREATE)
    with pytest.raises(RefusedError, match="does not exist"):
        run(cloud, Command.START)
    assert cloud.journal.names() == ["CreateRequested", "CreateFailed", "Vanished"]


@pytest.mark.parametrize("command", [Command.START, Command.STOP])
def test_what_does_not_exist_is_refused_with_a_remedy(command: Command) -> None:
    cloud = Cloud()
    with pytest.raises(RefusedError, match="devpod up"):
        run(cloud, command)
    assert cloud.journal.names() == []


def test_a_command_on_a_running_workspace_asks_azure_nothing() -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    looks = cloud.looks
    open_command("demo", cloud.scene, lambda _workspace: e.CommandOpened(owner=ME, command="c1"))
    close_command("demo", cloud.scene, e.CommandClosed(command="c1", exit_status=0))
    assert cloud.looks == looks
    assert cloud.scene.journal.recall("demo").commands == {}


def test_a_command_on_a_stopped_workspace_is_refused() -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    run(cloud, Command.STOP)
    with pytest.raises(RefusedError, match="stopped"):
        open_command("demo", cloud.scene, lambda _workspace: e.CommandOpened(owner=ME, command="c1"))


def test_a_killed_command_is_closed_by_the_next_call() -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    open_command("demo", cloud.scene, lambda _workspace: e.CommandOpened(owner=OTHER, command="c1"))
    refresh("demo", cloud.scene)
    closed = cloud.journal.entries[-1].event
    assert isinstance(closed, e.CommandClosed)
    assert (closed.reason, closed.exit_status) == ("abandoned", None)


def test_nothing_is_done_when_the_intent_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud()

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise LogError("disk full")

    monkeypatch.setattr(cloud.journal, "append", refuse)
    calls: list[bool] = []
    with pytest.raises(LogError):
        run(cloud, Command.CREATE, calls=calls)
    assert calls == []


def test_a_stop_racing_many_commands_ends() -> None:
    cloud = Cloud()
    run(cloud, Command.CREATE)
    cloud.journal.before_append += [e.CommandOpened(owner=ME, command=f"c{n}") for n in range(5)]
    assert run(cloud, Command.STOP).state is State.STOPPED
    assert cloud.scene.journal.recall("demo").intent is None
