"""The engine layer by its driver program, on a tree of a few programs. Needs root.

DBGUEST_BUILD is the build folder with dbguest-launch and engine_driver.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from engine_tree import Instance

BUILD = pathlib.Path(os.environ.get("DBGUEST_BUILD", "build")).resolve()
LIBEXEC = BUILD / "agent/engine"
DRIVER = BUILD / "tests/engine/engine_driver"


class Driver:
    def __init__(self, instance):
        self.instance = instance

    def argv(self, *args):
        return [str(DRIVER), str(LIBEXEC), str(self.instance.folder), *map(str, args)]

    def run(self, *args, **options):
        """What it prints; fails with the reason of the error."""
        done = subprocess.run(self.argv(*args), stdout=subprocess.PIPE, text=True, timeout=60,
                              **options)
        if done.returncode != 0:
            raise Refused(json.loads(done.stdout.splitlines()[-1]))
        return done.stdout.strip()

    def start(self, *args):
        return int(self.run("start", *args))

    def spawn(self, *args, **options):
        return subprocess.Popen(self.argv(*args), stdout=subprocess.PIPE, text=True, **options)


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.reason = error["reason"]
        self.native = error["native"]


@contextlib.contextmanager
def refused(reason):
    with pytest.raises(Refused) as info:
        yield info
    assert info.value.reason == reason, str(info.value)


@pytest.fixture(name="root")
def make_root():
    root = pathlib.Path(tempfile.mkdtemp(prefix="engine-"))
    root.chmod(0o755)
    yield root
    shutil.rmtree(root)


@pytest.fixture(name="make")
def make_drivers(root):
    made = []

    def make(**options):
        made.append(Driver(Instance(root, **options)))
        return made[-1]

    yield make
    for driver in made:
        for pid in driver.instance.bound_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(name="driver")
def make_driver(make):
    return make()
