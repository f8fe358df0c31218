"""The fake datastore's "main" on its daemon, put back for each test, and what tests of the rules
do to it."""

import pytest

from ground import BUILD, Ground
from session import app
from wait import wait_for


@pytest.fixture(scope="module")
def made():
    ground = Ground(BUILD, 4)
    try:
        ground.make()
        yield ground
    finally:
        ground.remove()


@pytest.fixture
def ground(made):
    made.reset(versions=True)
    made.up().serving()
    yield made
    made.down()


def submit(ground, rules, method, **params):
    """A job of main; the rules' last one has come true when this returns."""
    ground.rule(*rules)
    job = ground.submit(method, instance="main", **params)
    if rules:
        ground.await_rules(job, stop=rules[-1][1] == "stop")
    return job


def upgrade(ground, *rules):
    return submit(ground, rules, "instance.upgrade", version=ground.versions["1.1"])


def kill_all(ground):
    ground.kill_daemon()
    ground.kill_processes()


def main(ground):
    return ground.look()["instances"]["main"]


def serves(ground, version):
    """As a client sees it, and on the disk."""
    def looks_so():
        found = main(ground)
        return isinstance(found["engine"], dict) and found["engine"]["version"] == version \
            and not found["closed"] and found["engine"]["gate"] == "open"
    wait_for(looks_so, 8, f"{version} to serve")
    app(ground).close()


def is_closed(ground):
    assert main(ground)["closed"]
    try:
        app(ground).close()
    except OSError:
        return
    raise AssertionError("a client got in")
