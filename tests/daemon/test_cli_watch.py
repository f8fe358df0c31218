"""dbguestctl watch: events as they come, also over a daemon that is restarted."""
import json
import signal
import subprocess

import pytest

from cli_stub import PROGRAM, Stub, environment, run

UPGRADE = {"seq": 1, "boot_id": "b", "time": "2026-11-21T03:42:58.120Z", "kind": "status",
           "instance": "main", "status": "UPGRADE", "was": "ACTIVE", "job": "j184"}
ENDED = {"seq": 2, "boot_id": "b", "time": "2026-11-21T03:43:00.391Z", "kind": "job",
         "instance": "main", "method": "instance.upgrade", "object": "main", "state": "ended",
         "outcome": "ok", "note": "15.18+deb12u1 -> 15.20+deb12u1", "took_s": 0.44, "job": "j184"}


class Events(Stub):
    """Answers agent.subscribe, then sends events; after the first `lives` of them it hangs up."""

    def __init__(self, path, *events, lives=None, **answers):
        super().__init__(path, **answers)
        self.events, self.lives = list(events), lives

    def answer(self, connection, request, send):
        missed = self.answers.get("missed", False)
        send({"id": request["id"], "result": {"boot_id": "b", "seq": 0, "missed": missed}})
        while self.events:
            send({"method": "agent.event", "params": self.events.pop(0)})
            if self.lives is not None:
                self.lives -= 1
                if self.lives == 0:
                    connection.shutdown(2)
                    return


@pytest.fixture
def watch(path):
    """Starts it and reads so many lines, ends it with Ctrl-C."""
    def lines(count, *words):
        process = subprocess.Popen([PROGRAM, "watch", *words], text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment(path))
        said = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        errors = process.stderr.read()
        process.stdout.close()
        process.stderr.close()
        return said, errors

    return lines


def test_watch_prints_events(path, watch):
    with Events(path, UPGRADE, ENDED) as stub:
        lines, errors = watch(2, "--instance", "main")
    assert lines[0].split() == ["03:42:58.120", "status", "main", "ACTIVE", "->", "UPGRADE", "j184"]
    assert lines[1] == ("03:43:00.391  job        main      instance.upgrade ok, took 0.44 s: "
                        "15.18+deb12u1 -> 15.20+deb12u1  j184\n")
    assert errors == "" and stub.params("agent.subscribe") == [{"instance": "main"}]


def test_watch_as_json_is_the_events_as_they_came(path, watch):
    with Events(path, UPGRADE, ENDED):
        lines, _ = watch(2, "--json")
    assert [json.loads(line) for line in lines] == [UPGRADE, ENDED]


def test_watch_goes_on_where_it_was_under_the_next_daemon(path, watch):
    with Events(path, UPGRADE, ENDED, lives=1) as stub:
        lines, _ = watch(2)
    assert "UPGRADE" in lines[0] and "instance.upgrade ok" in lines[1]
    assert stub.params("agent.subscribe")[1]["since"] == {"boot_id": "b", "seq": 1}


def test_watch_says_that_events_were_missed(path, watch):
    with Events(path, UPGRADE, missed=True):
        _, errors = watch(1)
    assert errors == "some events were missed; read the lists again\n"


def test_watch_without_a_daemon_is_20(path):
    done = run(path, "watch")
    assert done.returncode == 20 and "no dbguestd at" in done.stderr
