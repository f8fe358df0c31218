"""A daemon whose disk hangs and whose clock jumps."""

import os
import pathlib
import time

from test_jobs import wait_for

BUILD = os.environ.get("DBGUEST_BUILD", pathlib.Path(__file__).parents[2] / "build")


def test_a_disk_that_hangs_keeps_nobody_waiting(daemon_not_started):
    daemon = daemon_not_started
    hanging = daemon.folder / "hanging"
    preload = [f"LD_PRELOAD={BUILD}/tests/fault/slow_disk.so", f"DBGUEST_SLOW_DISK={hanging}",
               "ASAN_OPTIONS=verify_asan_link_order=0"]
    command = daemon.command()
    daemon.command = lambda: ["env", *preload, *command]
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
