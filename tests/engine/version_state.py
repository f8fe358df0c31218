"""The version layer by its driver, on a tree of a few host programs whose "engine" is a script."""

import json
import os
import pathlib
import subprocess

import pytest

from engine_tree import make_tree

BUILD = pathlib.Path(os.environ.get("DBGUEST_BUILD", "build")).resolve()
DRIVER = BUILD / "tests/engine/version_driver"
ENVIRONMENT = {**os.environ, "VERSION_DRIVER_LIBEXEC": str(BUILD / "agent/version")}


class State:
    def __init__(self, root):
        self.root = root
        self.versions = root / "versions/redis"
        (root / "versions").mkdir(parents=True)

    def argv(self, *args):
        return [str(DRIVER), str(self.root), *map(str, args)]

    def run(self, *args, **env):
        done = subprocess.run(self.argv(*args), stdout=subprocess.PIPE, text=True, timeout=300,
                              env={**ENVIRONMENT, **env})
        answer = json.loads(done.stdout)
        if done.returncode != 0:
            raise Refused(answer)
        return answer

    def pull(self, source, job="j1", **env):
        return self.run("pull", job, source, **env)

    def left(self):
        """All that is there below versions/redis, hidden or not."""
        return sorted(os.listdir(self.versions)) if self.versions.exists() else []


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.error = error


def refusal(call, *args, **env):
    with pytest.raises(Refused) as info:
        call(*args, **env)
    return info.value.error


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "state")


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "tree"
    make_tree(tree)
    program = tree / "usr/bin/redis-server"
    program.write_text("#!/usr/bin/sh\necho Redis server v=7.0.15 sha=0\n")
    program.chmod(0o4755)
    return tree
