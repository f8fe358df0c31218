"""What the daemon tells the log: plain lines, or fields for systemd's journal."""

import os
import socket

import pytest
from client import Failure


class Journal:
    """A socket in the place of journald's, seen by the daemon only."""

    def __init__(self, daemon):
        folder = daemon.folder / "journal"
        folder.mkdir()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "socket"))
        self.socket.settimeout(0.3)
        self.daemon, self.folder, self.command = daemon, folder, daemon.command

    def wrapped(self, stream):
        """The daemon's command in a mount namespace of its own, its stderr said to be stream."""
        mounts = (
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && "
            f'mount --bind {self.folder} /run/systemd/journal && exec "$0" "$@"'
        )
        return lambda *more: ["unshare", "-m", "env", f"JOURNAL_STREAM={stream}", "sh", "-c",
                              mounts, *self.command(*more)]

    def start(self, stream=None):
        self.daemon.log.touch()
        found = os.stat(self.daemon.log)
        self.daemon.command = self.wrapped(stream or f"{found.st_dev}:{found.st_ino}")
        return self.daemon.start()

    def entries(self):
        told = []
        try:
            while True:
                lines = self.socket.recv(65536).decode().splitlines()
                told.append(dict(line.split("=", 1) for line in lines))
        except TimeoutError:
            return told


@pytest.fixture
def journal(daemon_not_started):
    journal = Journal(daemon_not_started)
    yield journal
    journal.socket.close()


def act(daemon):
    daemon.make_instance("main")
    with daemon.client() as client:
        client.call("user.create", instance="main", name="anna", password="sesame-4711")
        with pytest.raises(Failure):
            client.call("instance.configure", instance="main",
                        settings={"die": "one", "attention": True, "why": "sesame-4712"})


def test_events_are_fields_of_the_journal(journal):
    daemon = journal.start()
    act(daemon)
    told = journal.entries()
    first = [entry for entry in told if entry["DBGUEST_JOB"] == "j1"]
    assert {entry["DBGUEST_INSTANCE"] for entry in told} == {"main"}
    assert [entry.get("DBGUEST_STATE") or entry["DBGUEST_STATUS"] for entry in first] == [
        "accepted", "started", "BUILD", "ended", "ACTIVE"]
    ended = [entry for entry in told if entry.get("DBGUEST_STATE") == "ended"]
    assert [(entry["DBGUEST_OUTCOME"], entry["PRIORITY"]) for entry in ended] == [
        ("ok", "6"), ("ok", "6"), ("needs_attention", "3")]
    assert ended[1]["MESSAGE"] == "j2 user.create main ended: ok"
    assert "sesame" not in str(told)
    # Told once: what the journal has is no line of stderr.
    assert "ended" not in daemon.log.read_text()


@pytest.mark.parametrize("stream", ["0:0", "nonsense"])
def test_a_stderr_that_journald_does_not_read_gets_lines(journal, stream):
    daemon = journal.start(stream)
    act(daemon)
    assert journal.entries() == []
    text = daemon.log.read_text()
    assert "dbguestd: j2 user.create main ended: ok\n" in text
    assert "dbguestd: main: NEW -> BUILD\n" in text and "sesame" not in text
