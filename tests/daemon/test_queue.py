"""Jobs that wait: their turn, cancels, deadlines, and keys that join."""

import pytest
from client import Failure
from jobs import at_step, configure, state_of


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
