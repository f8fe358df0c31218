"""Changes as jobs: what they answer, and whatever may die meanwhile."""

import json
import os
import re
import signal

import pytest
from client import Failure
from jobs import at_step, configure, state_of, worker_of
from wait import wait_for


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
        report = client.call("job.report", job=job)["text"].splitlines()
        assert re.fullmatch(r"  two          +[\d.]+ s  did two", report[2])
        assert [line.rstrip() for line in report] == report
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
