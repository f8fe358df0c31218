"""Events as they come, and engines that are watched."""

import os
import pathlib
import signal
import time

from jobs import configure
from wait import wait_for


def test_events_tell_what_happens_in_order(daemon, client):
    with daemon.client() as watcher:
        start = watcher.call("agent.subscribe")
        daemon.make_instance("main")
        configure(client, _detach=False)
        seen = []
        while len(seen) < 7:
            seen.append(watcher.note("agent.event"))
    assert [event["status"] for event in seen if event["kind"] == "status"] == ["BUILD", "ACTIVE"]
    assert [event["seq"] for event in seen] == list(range(start["seq"] + 1, start["seq"] + 8))
    told = [(event["kind"], event.get("state") or event["status"]) for event in seen]
    assert told[:3] == [("job", "accepted"), ("job", "started"), ("status", "BUILD")]
    assert ("status", "ACTIVE") in told and told.count(("job", "ended")) >= 1
    assert {event["boot_id"] for event in seen} == {start["boot_id"]}


def test_missed_events_are_sent_again(daemon, client):
    start = client.call("agent.subscribe", kinds=["job"])
    daemon.make_instance("main")
    first = [client.note("agent.event")["seq"] for _ in range(3)]
    with daemon.client() as late:
        since = {"boot_id": start["boot_id"], "seq": start["seq"]}
        assert late.call("agent.subscribe", kinds=["job"], since=since)["missed"] is False
        assert [late.note("agent.event")["seq"] for _ in range(3)] == first
    with daemon.restart().client() as later:
        answer = later.call("agent.subscribe", since=since)
        assert answer["missed"] is True and answer["seq"] > first[-1]


def test_an_instance_that_is_being_made_is_new_or_build(daemon, client):
    call = {"datastore": "played", "version": "1", "settings": {"pause": 0.4}, "detach": True}
    job = client.call("instance.create", instance="fresh", **call)["job"]
    assert client.call("instance.show", instance="fresh")["status"] == "BUILD"
    assert client.call("instance.list")["instances"][0]["status"] == "BUILD"
    configure(client, instance="fresh", _detach=False)
    row = client.call("instance.show", instance="fresh")
    assert row["status"] == "ACTIVE" and row["last_job"]["method"] == "instance.configure"
    assert client.call("job.show", job=job)["outcome"] == "ok"


def test_an_engine_that_dies_is_started_again(daemon, main):
    main.call("agent.subscribe", kinds=["status"])
    engine = daemon.engine()
    os.kill(engine, signal.SIGKILL)
    assert [main.note("agent.event")["status"] for _ in range(2)] == ["ERROR", "ACTIVE"]
    assert daemon.engine() != engine
    row = main.call("job.list", method="instance.start")["jobs"][0]
    assert main.call("job.show", job=row["job"])["asked_by"] == "dbguestd"


def test_an_engine_found_dead_at_the_start_is_started(daemon, main):
    engine = daemon.engine()
    daemon.kill()
    os.kill(engine, signal.SIGKILL)
    with daemon.start().client() as client:
        wait_for(lambda: client.call("job.list", method="instance.start", state="ended")["jobs"])
    assert daemon.engine() != engine


def test_c17_an_engine_that_is_closed_is_left_alone(daemon, main):
    engine = daemon.engine()
    daemon.kill()
    os.kill(engine, signal.SIGKILL)
    (daemon.state / "instances/main/closed").touch()
    with daemon.start().client() as client:
        time.sleep(0.3)
        assert client.call("job.list", method="instance.start")["jobs"] == []
        assert 'status="ERROR"' in client.call("agent.metrics")["text"]


def test_what_was_stopped_stays_stopped(daemon, main):
    main.call("instance.stop", instance="main")
    with daemon.restart().client() as client:
        time.sleep(0.3)
        assert client.call("job.list", method="instance.start")["jobs"] == []
        assert 'status="SHUTDOWN"' in client.call("agent.metrics")["text"]


def test_engines_do_not_notice_when_the_daemon_goes(daemon, main):
    engine = daemon.engine()
    for number in signal.SIGTERM, signal.SIGKILL:
        daemon.stop(number)
        daemon.start()
    assert daemon.engine() == engine and pathlib.Path(f"/proc/{engine}").exists()


def test_after_a_hundred_jobs_it_is_still_small(daemon, main):
    for _ in range(100):
        job = configure(main)
    main.call("job.wait", job=job)
    assert daemon.resident_bytes() <= 5 * 1024 * 1024
