"""An instance's status: what a job makes of it, and what is left when the job has ended."""

import pathlib

import pytest
from client import Failure
from jobs import at_step, configure, state_of
from wait import wait_for


def statuses(watcher, call):
    """The changes of status that were told until what is called has ended."""
    watcher.call("agent.subscribe", kinds=["status", "job"])
    call()
    seen = []
    while (event := watcher.note("agent.event")).get("state") != "ended":
        seen.append(event)
    with pytest.raises(TimeoutError):
        watcher.sock.settimeout(0.2)
        seen.append(watcher.note("agent.event"))
        seen.append(watcher.note("agent.event"))
    watcher.sock.settimeout(20)
    return [(event["was"], event["status"]) for event in seen if event["kind"] == "status"]


def test_an_upgrade_is_one_change_of_status(daemon, main):
    (daemon.state / "play").write_text('{"pause": 0.3}')
    looks = []

    def upgrade():
        job = main.call("instance.upgrade", instance="main", version="2", detach=True)["job"]
        at_step(daemon, job, "two")
        wait_for(lambda: not pathlib.Path(f"/proc/{engine}/exe").exists())
        looks.append(main.call("instance.show", instance="main"))
        looks.append(main.call("instance.list")["instances"][0])
        metrics = main.call("agent.metrics")["text"]
        assert 'instance="main",datastore="played",status="UPGRADE"' in metrics
        assert state_of(main, job) == "running"

    engine = daemon.engine()
    with daemon.client() as watcher:
        told = statuses(watcher, upgrade)
    assert told == [("ACTIVE", "UPGRADE"), ("UPGRADE", "ACTIVE")]
    # Closed and without its engine, because the job wants it so.
    assert [(row["status"], row["attention"]) for row in looks] == [("UPGRADE", [])] * 2
    assert main.call("instance.show", instance="main")["status"] == "ACTIVE"


def test_a_restart_that_goes_well_changes_no_status(daemon, main):
    (daemon.state / "play").write_text('{"pause": 0.1}')
    engine = daemon.engine()
    with daemon.client() as watcher:
        assert statuses(watcher, lambda: main.call("instance.restart", instance="main")) == []
    assert daemon.engine() != engine


def test_what_waits_for_a_restart_is_shown_beside_a_job(daemon, main):
    (daemon.state / "instances/main/waits").touch()
    configure(main, pause=0.5)
    row = main.call("instance.show", instance="main")
    assert row["status"] == "RESTART_REQUIRED"
    assert [item["reason"] for item in row["attention"]] == ["restart_required"]


def test_what_is_left_closed_when_a_job_has_ended_is_an_error(daemon, main):
    (daemon.state / "play").write_text('{"die": "two", "attention": true}')

    def upgrade():
        with pytest.raises(Failure):
            main.call("instance.upgrade", instance="main", version="2")

    with daemon.client() as watcher:
        assert statuses(watcher, upgrade) == [("ACTIVE", "UPGRADE"), ("UPGRADE", "ERROR")]
    row = main.call("instance.show", instance="main")
    assert row["status"] == "ERROR" and row["attention"][0]["reason"] == "needs_attention"
