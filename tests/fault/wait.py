"""Waiting, killing, and what may be told of it."""

import os
import pathlib
import signal
import time

WAIT_S = 15


class Died(Exception):
    """What was asked went away."""


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.error, self.data = error, error["data"]
        self.reason = error["data"]["reason"]


def alive(pid):
    """Whether a process lives; a zombie does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait_for(condition, seconds=WAIT_S, what="something"):
    """Polls quickly at first; returns what the condition gave."""
    ends, pause = time.monotonic() + seconds, 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)
