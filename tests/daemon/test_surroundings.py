"""A daemon whose disk hangs and whose clock jumps."""

import json
import os
import pathlib
import time

import pytest
from test_jobs import wait_for

BUILD = os.environ.get("DBGUEST_BUILD", pathlib.Path(__file__).parents[2] / "build")


DAY_S = 86400


def load(daemon, library, **environment):
    """The daemon runs with what lets its surroundings fail."""
    command = daemon.command()
    words = [f"{name}={value}" for name, value in environment.items()]
    daemon.command = lambda: ["env", f"LD_PRELOAD={BUILD}/tests/fault/{library}.so", *words,
                              "ASAN_OPTIONS=verify_asan_link_order=0", *command]
    return daemon


def test_a_disk_that_hangs_keeps_nobody_waiting(daemon_not_started):
    hanging = daemon_not_started.folder / "hanging"
    daemon = load(daemon_not_started, "slow_disk", DBGUEST_SLOW_DISK=hanging)
    with daemon.start().client() as client, daemon.client() as other:
        assert client.call("agent.info")["disk"]["free_bytes"] > 0
        hanging.touch()
        waits = client.send("agent.info")
        began = time.monotonic()
        other.call("agent.ping")
        assert time.monotonic() - began < 0.5
        assert client.answer(waits)["result"]["disk"] == {"path": str(daemon.state)}
        # Who asks later does not wait at all.
        began = time.monotonic()
        text = other.call("agent.metrics")["text"]
        assert "dbguest_jobs{" in text and "dbguest_disk" not in text
        assert time.monotonic() - began < 0.5
        hanging.unlink()
        wait_for(lambda: "free_bytes" in client.call("agent.info")["disk"])
    assert daemon.log.read_text().count("does not answer") == 1


class Clock:
    """The daemon's clocks, moved by a test."""

    def __init__(self, daemon):
        self.file = daemon.folder / "clock"
        self.sum = daemon.state / "jobs/clock"
        self.move(0, 0)
        load(daemon, "clock", DBGUEST_CLOCK=self.file)

    def move(self, wall_s, running_s):
        new = self.file.with_name("clock.new")
        new.write_text(f"{wall_s} {running_s}")
        new.rename(self.file)

    def forget_boot(self):
        """As after a reboot; the clock of the machine goes on where it was."""
        kept = json.loads(self.sum.read_text())
        self.sum.write_text(json.dumps(kept | {"boot_id": "another"}))
        return kept


@pytest.fixture
def clock(daemon_not_started):
    clock = Clock(daemon_not_started)
    daemon_not_started.write_config(jobs={"keep_s": 2 * DAY_S})
    daemon_not_started.start().make_instance("main")
    return clock


def known(client):
    return [row["job"] for row in client.call("job.list")["jobs"]]


def do_job(client, **more):
    return client.call("instance.configure", instance="main", settings={}, **more)["job"]


def of_clock(client):
    return client.call("agent.info")["clock"]


@pytest.mark.parametrize("days", [30, -30])
def test_c27_a_clock_that_jumps_removes_nothing_and_says_so(daemon_not_started, clock, days):
    daemon = daemon_not_started
    with daemon.client() as client:
        assert of_clock(client)["removal"] == "by_age"
        key = do_job(client, idempotency_key="cp-1")
        clock.move(days * DAY_S, 0)
        told = of_clock(client)
        assert told["removal"] == "suspended" and abs(told["jumped_s"] - days * DAY_S) < 5
        assert "dbguest_removal_suspended 1" in client.call("agent.metrics")["text"]
        another = do_job(client)
        assert known(client) == [another, key, "j1"]
        assert do_job(client, idempotency_key="cp-1") == key
        # While it lasts what is really old stays, too.
        clock.move((days + 9) * DAY_S, 9 * DAY_S)
        old = do_job(client)
        assert known(client) == [old, another, key, "j1"]
        clock.move(9 * DAY_S, 9 * DAY_S)
        assert of_clock(client)["removal"] == "by_age"
        last = do_job(client)
        assert known(client) == [last, old]
    assert daemon.log.read_text().count("the clock jumped by") == 1
    assert "the clock is back" in daemon.log.read_text()


def test_c27_age_is_time_seen_running(daemon_not_started, clock):
    daemon = daemon_not_started
    with daemon.client() as client:
        began = of_clock(client)["running_s"]
        assert known(client) == ["j1"]
    # Switched off for a year, as the wall clock has it; up for an hour since.
    daemon.stop()
    kept = clock.forget_boot()
    up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    clock.move(365 * DAY_S, 3600 - int(up_s))
    with daemon.start().client() as client:
        assert abs(of_clock(client)["running_s"] - kept["running_s"] - 3600) < 5
        assert kept["running_s"] >= began and of_clock(client)["removal"] == "by_age"
        second = do_job(client)
        assert known(client) == [second, "j1"]
        # Three days of work later it is old, whatever the daemon's restarts.
    daemon.kill()
    clock.move(368 * DAY_S, 3600 - int(up_s) + 3 * DAY_S)
    with daemon.start().client() as client:
        wait_for(lambda: known(client) == [])
