"""Changes as jobs: the queue, deadlines, keys, and whatever may die meanwhile."""

import json
import os
import pathlib
import shutil
import signal
import time

import pytest
from client import Failure


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)
    return value


def configure(client, instance="main", **play):
    """A detached job that plays something; more parameters of the call begin with "_"."""
    more = {name[1:]: play.pop(name) for name in list(play) if name[0] == "_"}
    more = {"detach": True} | more
    return client.call("instance.configure", instance=instance, settings=play, **more)["job"]


def state_of(client, job):
    return client.call("job.show", job=job)["state"]


def worker_of(daemon, job):
    path = daemon.open(job) / "pid"
    return wait_for(lambda: path.exists() and json.loads(path.read_text())["pid"])


def at_step(daemon, job, step="one"):
    events = daemon.open(job) / "events"
    wait_for(lambda: events.exists() and f'"{step}"' in events.read_text())


@pytest.fixture
def main(daemon, client):
    daemon.make_instance("main")
    return client


def test_a_change_answers_with_its_result_and_tells_its_progress(main):
    result = main.call("instance.configure", instance="main", settings={"pause": 0.3})
    notes = [params for method, params in main.notes if method == "job.progress"]
    assert result["job"] == notes[0]["job"] and result["instance"] == "main"
    finished = [note["finished"]["step"] for note in notes if "finished" in note]
    assert finished == ["one", "two"]
    moving = [note for note in notes if note["done_bytes"] and "finished" not in note]
    assert 2 <= len(moving) <= 10  # at most ten a second
    assert {note["id"] for note in notes} == {1} and moving[0]["total_bytes"] == 300
    assert [note["step_number"] for note in notes if "finished" in note] == [1, 2]


def test_what_a_job_is_about_is_told_while_it_runs(main):
    about = {"from_version": "1", "version": "2", "expected_outage_s": 0.2}
    settings = {"pause": 0.5, "about": json.dumps(about)}
    main.send("instance.configure", {"instance": "main", "settings": settings})
    job = main.note("job.progress")["job"]
    wait_for(lambda: main.call("job.show", job=job).get("about") == about)
    main.call("job.wait", job=job)
    notes = [params for method, params in main.notes if method == "job.progress"]
    assert about in [note.get("about") for note in notes]


def test_a_failed_change_answers_with_its_error_and_job(main):
    with pytest.raises(Failure) as failed:
        main.call("instance.configure", instance="main", settings={"fail": "engine"})
    assert failed.value.reason == "engine" and failed.value.code == 11
    assert failed.value.data["native"] == "FATAL: engine"
    row = main.call("job.show", job=failed.value.data["job"])
    assert row["outcome"] == "engine" and row["note"] == "it was asked to fail"


def test_an_acknowledged_job_is_on_the_disk(daemon, main):
    job = configure(main, pause=5)
    request = json.loads((daemon.open(job) / "request.json").read_text())
    assert request["job"] == job and request["method"] == "instance.configure"
    assert request["locks"] == ["service:main!"] and request["asked_by"] == "uid 0 (root)"
    assert (daemon.open(job) / "started").exists()


def test_an_ended_job_is_told_again_after_all_is_killed(daemon, main):
    job = configure(main, pause=0.05)
    before = main.call("job.wait", job=job)
    with daemon.restart().client() as client:
        after = client.call("job.show", job=job)
        assert after["steps"] == before["steps"] and len(after["steps"]) == 2
        assert after["result"] == before["result"] and after["outcome"] == "ok"
        assert client.call("job.list")["jobs"][0]["job"] == job
        assert "did two" in client.call("job.report", job=job)["text"]
    assert sorted(path.name for path in daemon.done(job).iterdir()) == ["request.json", "result"]


def test_c05_the_journal_goes_after_the_outcome_is_durable(daemon, main):
    job = configure(main, pause=0.3)
    at_step(daemon, job, "two")
    daemon.kill()
    wait_for(lambda: '"end"' in (daemon.open(job) / "journal").read_text())
    with daemon.start().client() as client:
        assert client.call("job.wait", job=job)["outcome"] == "ok"
    assert daemon.result(job)["result"]["instance"] == "main"


def test_c07_a_living_worker_is_joined_never_ended(daemon, main):
    job = configure(main, pause=0.4)
    worker = worker_of(daemon, job)
    daemon.kill()
    with daemon.start().client() as client:
        row = client.call("job.show", job=job)
        assert row["state"] == "running" and row["recovered_at"]
        assert worker_of(daemon, job) == worker
        ended = client.call("job.wait", job=job)
        assert ended["outcome"] == "ok" and len(ended["steps"]) == 2
        assert any("finished" in params for _, params in client.notes)


def test_c07_a_worker_that_is_only_starting_is_joined(daemon, main):
    job = configure(main, slow=0.5)
    daemon.kill()
    with daemon.start().client() as client:
        assert client.call("job.wait", job=job)["outcome"] == "ok"


def test_c07_the_locks_of_a_running_job_are_held_by_the_next_daemon(daemon, main):
    first = configure(main, pause=0.4)
    at_step(daemon, first)
    daemon.kill()
    with daemon.start().client() as client:
        second = configure(client)
        assert client.call("job.show", job=second)["waiting_for"] == [first]
        assert client.call("job.wait", job=second)["outcome"] == "ok"
        assert client.call("job.show", job=first)["outcome"] == "ok"


@pytest.mark.parametrize("where", ["born", "one", "two"])
def test_c06_a_dead_worker_is_recovered_not_started_again(main, where):
    with pytest.raises(Failure) as failed:
        main.call("instance.configure", instance="main", settings={"die": where})
    assert failed.value.reason == "interrupted" and failed.value.data["retryable"]
    row = main.call("job.show", job=failed.value.data["job"])
    assert row["state"] == "ended" and row["recovered_at"]


@pytest.mark.parametrize("where", ["one", "two"])
def test_a_worker_that_died_with_its_daemon_is_recovered_by_the_next(daemon, main, where):
    job = configure(main, pause=5 if where == "one" else 0.2)
    at_step(daemon, job, where)
    worker = worker_of(daemon, job)
    daemon.kill()
    os.kill(worker, signal.SIGKILL)
    with daemon.start().client() as client:
        assert client.call("job.wait", job=job)["outcome"] == "interrupted"
        configure(client, _detach=False)


def test_a_job_accepted_but_not_started_is_queued_again(daemon, main):
    first = configure(main, pause=0.3)
    second = configure(main)
    assert state_of(main, second) == "queued"
    daemon.kill()
    with daemon.start().client() as client:
        assert client.call("job.wait", job=second)["outcome"] == "ok"
        assert client.call("job.show", job=first)["outcome"] == "ok"


def test_what_was_never_acknowledged_is_swept_away(daemon):
    daemon.stop()
    making = daemon.state / "jobs/open/.j9.tmp"
    making.mkdir()
    (making / "request.json").write_text('{"job":"j9","meth')
    with daemon.start().client() as client:
        assert client.call("job.list")["jobs"] == []
    assert not making.exists()


def test_attention_ends_the_call_and_keeps_the_job_until_it_is_recovered(daemon, main):
    with pytest.raises(Failure) as failed:
        configure(main, die="one", attention=True, _detach=False)
    assert failed.value.reason == "needs_attention" and failed.value.code == 13
    job = failed.value.data["job"]
    assert daemon.open(job).exists()
    assert main.call("job.show", job=job)["outcome"] == "needs_attention"
    # At the next start it is tried once more, in vain.
    with daemon.restart().client() as client:
        assert client.call("job.wait", job=job)["outcome"] == "needs_attention"
        (daemon.state / "mended").touch()
        client.call("instance.recover", instance="main")
        wait_for(lambda: client.call("job.show", job=job)["outcome"] == "interrupted")
    assert daemon.done(job).exists()


def test_a_recovery_that_keeps_dying_is_given_up_on_the_disk(daemon, main):
    with pytest.raises(Failure) as failed:
        configure(main, die="one", doomed=True, _detach=False)
    job = failed.value.data["job"]
    kept = json.loads((daemon.open(job) / "attention").read_text())
    assert kept["reason"] == failed.value.reason == "needs_attention"
    assert "died 3 times" in kept["message"] and "instance recover main" in kept["hint"]
    daemon.kill()
    (daemon.state / "mended").touch()
    with daemon.start().client() as client:
        assert client.call("job.wait", job=job)["outcome"] == "interrupted"
    assert sorted(path.name for path in daemon.done(job).iterdir()) == ["request.json", "result"]


def test_what_needed_attention_is_tried_again_in_its_order(daemon, main):
    daemon.make_instance("other")
    jobs = []
    for instance in ("main", "main", "other", "main"):
        with pytest.raises(Failure) as failed:
            play = {"die": "one", "attention": True, "linger": 0.3}
            configure(main, instance=instance, _detach=False, **play)
        jobs.append(failed.value.data["job"])
    daemon.kill()
    (daemon.state / "recoveries").unlink()
    (daemon.state / "mended").touch()
    with daemon.start().client() as client:
        # Those that wait their turn are as good as running: they keep their locks.
        assert state_of(client, jobs[3]) in ("running", "recovering")
        later = configure(client)
        # A queued job names all that it waits for.
        waits = client.call("job.show", job=later)["waiting_for"]
        assert waits == [jobs[0], jobs[1], jobs[3]]
        for job in jobs:
            assert client.call("job.wait", job=job)["outcome"] == "interrupted"
        assert client.call("job.wait", job=later)["outcome"] == "ok"
    told = (daemon.state / "recoveries").read_text().splitlines()
    of_main = [line for line in told if not line.startswith(jobs[2])]
    assert of_main == [f"{job} {what}" for job in (jobs[0], jobs[1], jobs[3])
                       for what in ("began", "ended")]
    assert told.index(f"{jobs[2]} began") < told.index(f"{jobs[1]} began")  # others do not wait


def test_what_still_needs_attention_keeps_no_later_job_from_its_turn(daemon, main):
    jobs = []
    for _ in range(2):
        with pytest.raises(Failure) as failed:
            configure(main, die="one", attention=True, _detach=False)
        jobs.append(failed.value.data["job"])
    with daemon.restart().client() as client:
        for job in jobs:
            assert client.call("job.wait", job=job)["outcome"] == "needs_attention"
    assert (daemon.state / "recoveries").read_text().split()[-8:] == [
        word for job in jobs for what in ("began", "ended") for word in (job, what)]


def test_a_recovery_does_not_wait_for_a_running_job(main):
    job = configure(main, pause=1)
    with pytest.raises(Failure) as failed:
        main.call("instance.recover", instance="main")
    assert failed.value.reason == "busy" and failed.value.data["waiting_for"] == [job]
    assert failed.value.data["hint"] == f"dbguestctl job wait {job}"


def test_conflicting_jobs_wait_their_turn_in_order(main):
    jobs = [configure(main, pause=0.1) for _ in range(3)]
    assert [state_of(main, job) for job in jobs] == ["running", "queued", "queued"]
    last = main.call("job.show", job=jobs[2])
    assert last["position"] == 2 and last["waiting_for"] == jobs[:2]
    rows = [main.call("job.wait", job=job) for job in jobs]
    ends = [row["ended_at"] for row in rows]
    assert ends == sorted(ends)
    assert all(one["ended_at"] <= other["started_at"] for one, other in zip(rows, rows[1:]))


def test_a_queued_call_is_told_its_place(main):
    first = configure(main, pause=0.3)
    assert main.call("instance.configure", instance="main", settings={})
    queued = [params for _, params in main.notes if params.get("state") == "queued"]
    assert queued[0]["position"] == 1 and queued[0]["waiting_for"] == [first]


def test_others_do_not_wait(daemon, main):
    daemon.make_instance("other")
    slow = configure(main, pause=1)
    configure(main, instance="other", _detach=False)
    assert state_of(main, slow) == "running"


def test_who_does_not_want_to_wait_is_told_who_is_there(main):
    job = configure(main, pause=1)
    with pytest.raises(Failure) as failed:
        configure(main, _queue=False)
    assert failed.value.reason == "busy" and failed.value.code == 7
    assert failed.value.data["waiting_for"] == [job] and failed.value.data["retryable"]
    assert job in str(failed.value) and "'main'" in str(failed.value)


def test_no_more_jobs_run_than_may(daemon_not_started):
    daemon_not_started.write_config(limits={"jobs_running": 1})
    daemon = daemon_not_started.start()
    daemon.make_instance("one")
    daemon.make_instance("two")
    with daemon.client() as client:
        first = configure(client, instance="one", pause=0.2)
        second = configure(client, instance="two")
        assert state_of(client, second) == "queued"
        assert client.call("job.wait", job=second)["outcome"] == "ok"
        assert state_of(client, first) == "ended"


def test_a_queued_job_can_be_cancelled(main):
    first = configure(main, pause=0.3)
    second = configure(main)
    assert main.call("job.cancel", job=second)["outcome"] == "cancelled"
    assert state_of(main, first) == "running"


def test_a_running_job_can_be_cancelled(daemon, main):
    job = configure(main, pause=5)
    at_step(daemon, job)
    assert main.call("job.cancel", job=job)["outcome"] == "cancelled"


def test_a_cancel_that_comes_too_late_is_busy(daemon, main):
    job = configure(main, die="two", pause=0.2)
    at_step(daemon, job, "two")
    with pytest.raises(Failure) as failed:
        main.call("job.cancel", job=job)
    assert failed.value.reason == "busy"
    main.call("job.wait", job=job)
    with pytest.raises(Failure) as failed:
        main.call("job.cancel", job=job)
    assert failed.value.reason == "busy"


def test_a_deadline_counts_while_waiting(main):
    configure(main, pause=1.5)
    with pytest.raises(Failure) as failed:
        configure(main, _detach=False, _deadline_s=1)
    assert failed.value.reason == "deadline" and failed.value.code == 16


def test_waiting_for_a_job_has_a_deadline_of_its_own(main):
    job = configure(main, pause=1)
    with pytest.raises(Failure) as failed:
        main.call("job.wait", job=job, deadline_s=1)
    assert failed.value.reason == "deadline" and failed.value.data["job"] == job
    assert main.call("job.wait", job=job)["outcome"] == "ok"


def test_a_caller_that_goes_away_takes_nothing_with_it(daemon, main):
    main.send("instance.configure", {"instance": "main", "settings": {"pause": 0.3}})
    job = main.note("job.progress")["job"]
    main.close()
    with daemon.client() as client:
        assert client.call("job.wait", job=job)["outcome"] == "ok"


def test_the_same_key_joins_the_same_job(daemon, main):
    call = {"instance": "main", "settings": {"pause": 0.2}, "idempotency_key": "cp-1"}
    with daemon.client() as other:
        other.send("instance.configure", call)
        first = main.call("instance.configure", **call)
        assert other.answer()["result"] == first
    assert main.call("instance.configure", **call) == first
    assert main.call("instance.configure", **call, detach=True)["job"] == first["job"]
    with daemon.restart().client() as client:
        assert client.call("instance.configure", **call) == first
        assert len(client.call("job.list", method="instance.configure")["jobs"]) == 1


def test_a_key_is_known_after_its_job_has_made_what_it_names(daemon, client):
    call = {"instance": "main", "datastore": "played", "version": "1", "idempotency_key": "k"}
    first = client.call("instance.create", **call)
    assert client.call("instance.create", **call) == first


def test_the_same_key_for_another_call_is_invalid(main):
    configure(main, _idempotency_key="cp-2", _detach=False)
    with pytest.raises(Failure) as failed:
        configure(main, pause=1, _idempotency_key="cp-2")
    assert failed.value.reason == "invalid"


def test_secrets_do_not_count_for_a_key(main):
    call = {"instance": "main", "name": "anna", "idempotency_key": "cp-3"}
    first = main.call("user.create", **call, password="one-secret")
    assert main.call("user.create", **call, password="another-one") == first


def test_a_retryable_end_frees_its_key(main):
    call = {"_idempotency_key": "cp-4", "_detach": False}
    with pytest.raises(Failure):
        configure(main, die="one", **call)
    with pytest.raises(Failure) as failed:
        configure(main, die="one", **call)
    jobs = main.call("job.list", method="instance.configure")["jobs"]
    assert failed.value.reason == "interrupted" and len(jobs) == 2


def test_numbers_are_never_used_again(daemon, main):
    for _ in range(3):
        configure(main, _detach=False)
    seen = [int(row["job"][1:]) for row in main.call("job.list")["jobs"]]
    for number in signal.SIGKILL, signal.SIGTERM:
        daemon.stop(number)
        shutil.rmtree(daemon.state / "jobs/done")
        with daemon.start().client() as client:
            number = int(configure(client)[1:])
            assert number > max(seen)
            seen.append(number)
            client.call("job.wait", job=f"j{number}")


def test_ended_jobs_are_forgotten_beyond_a_count(daemon_not_started):
    daemon_not_started.write_config(jobs={"keep_count": 3})
    daemon = daemon_not_started.start()
    daemon.make_instance()
    with daemon.client() as client:
        kept = configure(client, _idempotency_key="cp-5", _detach=False)
        jobs = [configure(client) for _ in range(6)]
        for job in jobs:
            client.call("job.wait", job=job)
        rows = [row["job"] for row in client.call("job.list")["jobs"]]
        # The one with a key stays for a day.
        assert rows == [*jobs[:2:-1], kept]
        wait_for(lambda: len(list((daemon.state / "jobs/done").iterdir())) == 4)


def test_lists_of_jobs_come_in_pages(main):
    jobs = [configure(main) for _ in range(5)]
    main.call("job.wait", job=jobs[-1])
    page = main.call("job.list", limit=2, instance="main")
    assert [row["job"] for row in page["jobs"]] == jobs[:-3:-1]
    page = main.call("job.list", limit=2, marker=page["next_marker"])
    assert [row["job"] for row in page["jobs"]] == jobs[2:0:-1]


def holding(folder, text):
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def test_secrets_reach_the_worker_but_no_disk(daemon, main):
    result = main.call("user.create", instance="main", name="anna", password="sesame-4711")
    assert result["secrets"] == ["password"]
    assert holding(daemon.state, "sesame") == [] and "sesame" not in daemon.log.read_text()
    assert list((daemon.run / "secrets").iterdir()) == []


def test_a_password_made_here_is_told_once(daemon, main):
    call = {"instance": "main", "idempotency_key": "cp-6"}
    first = main.call("root.enable", **call)
    assert first["secrets"] == ["password"] and len(first["password"]) >= 16
    assert main.call("root.enable", **call).get("password") is None
    assert holding(daemon.state, first["password"]) == []


def test_c28_a_reboot_takes_the_secrets_of_waiting_work(daemon, main):
    configure(main, pause=0.5)
    waiting = main.call(
        "user.set_password", instance="main", name="anna", password="sesame-4711", detach=True
    )["job"]
    request = json.loads((daemon.open(waiting) / "request.json").read_text())
    assert request["has_secrets"] and request["params"]["password"] is None
    daemon.kill()
    (daemon.run / "secrets" / waiting).unlink()
    with daemon.start().client() as client:
        row = client.call("job.wait", job=waiting)
        assert row["outcome"] == "interrupted" and row["steps"] == []


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
