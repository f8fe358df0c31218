"""What is kept of jobs, for how long, and what never is: secrets."""

import json
import shutil
import signal

from jobs import configure
from wait import wait_for


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
