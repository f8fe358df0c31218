"""The rules of CRASH.md that are not a matter of steps and victims, each by its name."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from scene import ground, is_closed, kill_all, made, main, serves, upgrade  # noqa: F401
from session import Line, app
from wait import Refused, alive, kill, wait_for


def test_c01_torn_last_record_counts_for_nothing(ground):
    job = upgrade(ground, ("torn", "kill", '{"commit"'))
    assert ground.outcome(job) == "rolled_back"
    serves(ground, "1.0")


@pytest.mark.parametrize("rule", [("written", "EIO"), ("before", "EIO"), ("before", "ENOSPC")])
def test_c02_c03_commit_that_may_or_may_not_be_there_stays_closed(ground, rule):
    job = upgrade(ground, (*rule, '{"commit"'))
    assert ground.outcome(job) == "needs_attention"
    is_closed(ground)
    # Nothing of it is over: the folder is there for the recovery.
    assert (ground.state / "jobs/open" / job / "journal").exists()
    ground.call("instance.recover", instance="main")
    # What was written and not synced has been synced by then; what was not written never was.
    serves(ground, "1.1" if rule[0] == "written" else "1.0")
    assert wait_for(lambda: not ground.look()["left over"], 5)


def test_c02_failed_sync_of_a_step_is_undone_only_by_a_fresh_worker(ground):
    job = upgrade(ground, ("written", "EIO", '{"begin":"use"'))
    assert ground.outcome(job) == "needs_attention"
    is_closed(ground)
    ground.call("instance.recover", instance="main")
    serves(ground, "1.0")


def test_c05_finished_journal_repeats_its_outcome(ground):
    job = upgrade(ground, ("after", "stop", '{"end":'))
    kill_all(ground)
    ground.up()
    assert ground.outcome(job) == "ok", ground.job(job)["error"]
    assert ground.job(job)["result"]["version"] == ground.versions["1.1"]
    serves(ground, "1.1")


def test_c06_second_worker_of_a_job_goes_away(ground):
    job = upgrade(ground, ("before", "stop", '{"begin":"use"'))
    path = ground.state / "jobs/open" / job / "journal"
    before = path.read_bytes()
    for verb in ("run", "recover"):
        done = subprocess.run([ground.libexec / "fake", verb, path.parent], capture_output=True,
                              text=True, timeout=10, check=False)
        assert done.returncode == 1 and "another worker" in done.stderr
    assert path.read_bytes() == before
    os.kill(ground.fired(), signal.SIGCONT)
    assert ground.outcome(job) == "ok", ground.job(job)["error"]


def test_c06_job_that_was_accepted_survives_everything(ground):
    upgrade(ground, ("before", "stop", '{"begin":"use"'))
    waiting = ground.submit("database.create", instance="main", name="later")
    kill_all(ground)
    ground.up()
    assert ground.outcome(waiting) == "ok"
    assert wait_for(lambda: "later" in main(ground)["engine"]["databases"])


def test_c07_living_worker_is_joined(ground):
    job = upgrade(ground, ("before", "stop", '{"begin":"use"'))
    worker = ground.fired()
    ground.kill_daemon()
    ground.up()
    assert ground.job(job)["state"] in ("running", "recovering")
    with pytest.raises(Refused) as refused:
        ground.call("instance.recover", instance="main", queue=False)
    assert refused.value.reason == "busy"
    assert alive(worker)
    os.kill(worker, signal.SIGCONT)
    assert ground.outcome(job) == "ok", ground.job(job)["error"]
    serves(ground, "1.1")


def test_an_instance_in_the_hands_of_an_upgrade_says_so(ground):
    job = upgrade(ground, ("before", "stop", '{"begin":"use"'))
    rows = ground.call("instance.list")["instances"]
    for row in ground.call("instance.show", instance="main"), *rows:
        assert row["status"] == "UPGRADE" and not row["attention"]
    os.kill(ground.fired(), signal.SIGCONT)
    assert ground.outcome(job) == "ok"
    assert ground.call("instance.show", instance="main")["status"] == "ACTIVE"


def of_deaf_engine(ground, method):
    """A job that has asked main to stop, which does not."""
    ground.call("instance.configure", instance="main", settings={"hang_stop": "all"})
    ground.call("instance.stop", instance="main")
    ground.call("instance.start", instance="main")
    job = ground.submit(method, instance="main")
    events = ground.state / "jobs/open" / job / "events"
    wait_for(lambda: events.exists() and '"stop"' in events.read_text(), what="the stop")
    return job


@pytest.mark.parametrize("method, outcome", [("instance.stop", "ok"),
                                             ("instance.restart", "cancelled")])
@pytest.mark.parametrize("again", [False, True])
def test_c07_a_stop_that_never_ends_is_ended_by_an_immediate_one(ground, method, outcome, again):
    job = of_deaf_engine(ground, method)
    clean = ground.submit("instance.stop", instance="main")
    time.sleep(0.3)
    assert ground.job(job)["state"] == "running", "a clean stop waits its turn"
    later = ground.submit("instance.stop", instance="main", mode="immediate")
    if again:  # the mark and the one who made it are on the disk
        ground.kill_daemon()
        ground.up()
    assert ground.outcome(job) == outcome
    said = ground.job(job)
    assert later in json.dumps(said), "it says who ended it"
    assert method == "instance.restart" or said["result"]["mode"] == "immediate"
    for number in clean, later:
        assert ground.outcome(number) == "ok", ground.job(number)
    assert ground.call("instance.show", instance="main")["status"] == "SHUTDOWN"


def test_c08_sigterm_stops_where_it_is(ground):
    ground.watch_records()
    job = upgrade(ground, ("after", "stop", '{"begin":"use"'))
    worker = ground.fired()
    os.kill(worker, signal.SIGTERM)
    os.kill(worker, signal.SIGCONT)
    assert ground.outcome(job) == "rolled_back"
    its_own = [record for pid, record in ground.records() if pid == worker]
    assert not [record for record in its_own if {"undo", "abort", "end"} & set(record)]
    serves(ground, "1.0")


def test_c09_tools_die_with_their_worker(ground):
    ground.call("instance.configure", instance="main", settings={"slow_dump": "all"})
    job = ground.submit("backup.create", instance="main", backup="slow")

    def tools():
        return [pid for pid in ground.processes()
                if b"dump" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    wait_for(tools, what="the tool")
    worker = wait_for(lambda: [pid for pid in ground.processes()
                               if b"run" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()])
    for pid in worker:
        kill(pid)
    wait_for(lambda: not tools(), 0.9, "the end of the tool, which had a second to go")
    assert ground.outcome(job) == "interrupted"
    assert list(ground.look()["backups"]) == ["good"]


def test_c12_second_engine_on_the_same_data_is_refused(ground):
    done = subprocess.run([ground.libexec / "dbguest-launch", ground.state / "instances/main"],
                          capture_output=True, timeout=10, check=False)
    assert done.returncode == 75
    serves(ground, "1.0")


def test_c16_closed_is_on_the_disk_before_the_fence(ground):
    upgrade(ground, ("before", "stop", '{"facts":{"fenced_at"'))
    assert (ground.state / "instances/main/closed").exists()
    # The gate itself has not moved yet.
    app(ground).close()
    os.kill(ground.fired(), signal.SIGCONT)


def test_c17_boot_opens_nothing_that_is_not_recovered(ground):
    job = upgrade(ground, ("after", "stop", '{"begin":"use"'))
    kill_all(ground)
    done = subprocess.run([ground.libexec / "dbguest-launch", ground.state / "instances/main"],
                          capture_output=True, timeout=10, check=False)
    assert done.returncode == 77
    ground.up()
    assert ground.outcome(job) == "rolled_back"
    serves(ground, "1.0")


def test_c18_gate_is_shut_before_the_engine_runs_and_ends_all_sessions(ground):
    silent = socket.socket(socket.AF_UNIX)
    silent.connect(str(ground.socket("main")))
    writer = app(ground)
    job = upgrade(ground, ("after", "stop", '{"begin":"stop"'))
    for line in (silent, writer.socket):
        line.settimeout(2)
        assert line.recv(1) == b"", "a session outlived the fence"
    is_closed(ground)
    ground.rule(("after", "stop", '{"begin":"prove"'))
    continue_all(ground)
    pid = ground.await_rules(job, stop=True)
    is_closed(ground)
    os.kill(pid, signal.SIGCONT)
    assert ground.outcome(job) == "ok", ground.job(job)["error"]
    serves(ground, "1.1")


@pytest.mark.parametrize("death", [None, "after", "before"])
def test_c18_somebody_who_was_in_stays_for_a_person(ground, death):
    job = upgrade(ground, ("after", "stop", '{"begin":"prove"'))
    Line(ground.socket("main"), "AGENT", "stranger").close()
    if death:
        ground.rule((death, "kill", '"stay"'))
    continue_all(ground)
    wanted = "rolled_back" if death == "before" else "needs_attention"
    assert ground.outcome(job) == wanted, ground.job(job)["error"]
    if death == "before":  # nobody had been told: as if it had died before it looked
        return serves(ground, "1.0")
    assert ground.look()["instances"]["main"]["engine"]["version"] == "1.1", "nothing is undone"
    is_closed(ground)
    kill_all(ground)
    ground.up()
    assert ground.outcome(job, 30) == "needs_attention"
    assert ground.look()["instances"]["main"]["version"].startswith("1.1")
    is_closed(ground)
    ground.call("instance.recover", instance="main")
    serves(ground, "1.0")
    cause = wait_for(lambda: (ground.job(job)["error"] or {}).get("cause"), 5)
    assert cause["reason"] == "needs_attention" and "somebody was in" in cause["message"]
    return None


def test_c18_a_person_s_recovery_that_dies_is_still_a_person_s(ground):
    job = upgrade(ground, ("after", "stop", '{"begin":"prove"'))
    Line(ground.socket("main"), "AGENT", "stranger").close()
    continue_all(ground)
    assert ground.outcome(job) == "needs_attention"
    ground.rule(("after", "kill", '{"undo":"start"'))
    with contextlib.suppress(Refused):
        ground.call("instance.recover", instance="main")
    serves(ground, "1.0")


def continue_all(ground):
    for pid in ground.processes():
        if ground.stopped(pid):
            os.kill(pid, signal.SIGCONT)


def sabotage(ground, number, good=False):
    path = ground.state / f"instances/main/generations/{number}/conf/fake.conf"
    lines = [line for line in path.read_text().splitlines() if "fail_start" not in line]
    path.write_text("\n".join(lines + ([] if good else ["fail_start=all"])) + "\n")


def test_c21_committed_version_that_does_not_start_is_given_up(ground):
    job = upgrade(ground, ("after", "stop", '{"commit"'))
    kill_all(ground)
    sabotage(ground, 2)
    ground.up()
    assert ground.outcome(job, 30) == "rolled_back"
    serves(ground, "1.0")


def test_c21_from_opening_on_there_is_only_forward(ground):
    job = upgrade(ground, ("after", "stop", '{"opening"'))
    kill_all(ground)
    sabotage(ground, 2)
    ground.up()
    assert ground.outcome(job, 30) == "needs_attention"
    assert main(ground)["version"] == ground.versions["1.1"]
    assert main(ground)["closed"]
    sabotage(ground, 2, good=True)
    ground.call("instance.recover", instance="main")
    serves(ground, "1.1")


def test_c22_proved_process_that_died_is_told(ground):
    job = upgrade(ground, ("after", "stop", '{"commit"'))
    kill(ground.engine_pid())
    os.kill(ground.fired(), signal.SIGCONT)
    assert ground.outcome(job) == "ok", ground.job(job)["error"]
    serves(ground, "1.1")
    steps = ground.job(job)["steps"]
    assert [step for step in steps if "the proved process is gone" in step["what"]]


def test_c22_death_while_it_is_being_proved_is_no_upgrade(ground):
    job = upgrade(ground, ("after", "stop", '{"begin":"prove"'))
    kill(ground.engine_pid())
    os.kill(ground.fired(), signal.SIGCONT)
    assert ground.outcome(job) == "rolled_back"
    serves(ground, "1.0")


def test_c28_reboot_takes_secrets_of_waiting_work(ground):
    upgrade(ground, ("before", "stop", '{"begin":"use"'))
    waiting = ground.submit("user.create", instance="main", name="late", password="late-secret-7")
    kill_all(ground)
    for path in (ground.run_dir / "secrets").iterdir():
        path.unlink()
    ground.up()
    assert ground.outcome(waiting) == "interrupted"
    assert ground.job(waiting)["error"]["retryable"]
    serves(ground, "1.0")
    assert "late" not in main(ground)["engine"]["users"]


# --- engines and versions that misbehave ---

def test_engine_that_does_not_start_says_why(ground):
    with pytest.raises(Refused) as refused:
        ground.call("instance.create", instance="second", datastore="fake",
                    version=ground.versions["1.0"], settings={"fail_start": "all"})
    assert refused.value.reason == "engine"
    assert "the sky is falling" in refused.value.data["native"]
    assert list(ground.look()["instances"]) == ["main"]


def test_engine_that_starts_slowly_is_waited_for(ground):
    ground.call("instance.create", instance="second", datastore="fake",
                version=ground.versions["1.0"], settings={"slow_start": "all"})
    assert ground.look()["instances"]["second"]["engine"]["gate"] == "open"


def test_engine_that_dies_right_after_is_started_again(ground):
    ground.call("instance.create", instance="second", datastore="fake",
                version=ground.versions["1.0"], settings={"die_soon": "all"})
    first = ground.engine_pid("second")
    wait_for(lambda: not alive(first), 5, "its death")
    wait_for(lambda: ground.engine_pid("second"), 10, "its next start")


def test_upgrade_whose_engine_lies_is_rolled_back(ground):
    ground.call("instance.configure", instance="main", settings={"lie": "1.1"})
    with pytest.raises(Refused) as refused:
        ground.call("instance.upgrade", instance="main", version=ground.versions["1.1"])
    assert refused.value.reason == "rolled_back"
    assert refused.value.data["cause"]["step"] == "prove"
    serves(ground, "1.0")


@pytest.mark.parametrize("says", ["1.2", "1.11"])
def test_tree_changed_after_its_pull_is_found_out(ground, says):
    name = ground.versions_dir / "fake" / ground.versions["1.1"] / "tree/usr/share/fake/version"
    name.write_text(says + "\n")
    try:
        with pytest.raises(Refused) as refused:
            ground.call("instance.upgrade", instance="main", version=ground.versions["1.1"])
        assert refused.value.reason == "rolled_back"
        cause = refused.value.data["cause"]
        assert (cause["step"], cause["reason"]) == ("prove", "corrupt")
        assert f"says that it is {says}" in cause["message"]
        serves(ground, "1.0")
    finally:
        name.write_text("1.1\n")


def test_version_of_another_format_gets_data_of_its_own(ground):
    ground.call("instance.upgrade", instance="main", version=ground.versions["2.0"])
    serves(ground, "2.0")
    assert sorted(path.name for path in (ground.state / "instances/main/data").iterdir()) == ["1", "2"]
