"""What becomes of versions: which may go, and who waits for whom."""

import os

import pytest

from ground import BUILD, Ground
from wait import Refused, kill, wait_for


@pytest.fixture
def ground():
    """main runs 1.0, of which there is a backup; 1.1 and 2.0 are nobody's."""
    ground = Ground(BUILD, 9)
    try:
        ground.make()
        ground.up().serving()
        yield ground
    finally:
        ground.remove()


def there(ground):
    return set(os.listdir(ground.versions_dir / "fake"))


def test_prune_removes_what_nothing_names_and_says_how_much(ground):
    one, other = ground.versions["1.1"], ground.versions["2.0"]
    result = ground.call("version.prune")
    assert [row["version"] for row in result["versions"]] == [one, other]
    assert result["count"] == 2
    assert result["freed_bytes"] == sum(row["size_bytes"] for row in result["versions"]) > 0
    assert there(ground) == {ground.versions["1.0"]}
    assert ground.call("version.prune", datastore="fake")["versions"] == []


def test_prune_keeps_the_one_before_and_what_a_backup_names(ground):
    ground.call("instance.upgrade", instance="main", version=ground.versions["1.1"])
    ground.call("backup.delete", backup="good", confirm="good")
    assert [row["version"] for row in ground.call("version.prune")["versions"]] == \
        [ground.versions["2.0"]]
    ground.call("backup.create", instance="main", backup="next")
    ground.call("instance.upgrade", instance="main", version=ground.pull("1.2"))
    ground.call("instance.configure", instance="main", settings={"max_clients": 30})
    assert there(ground) == {ground.versions[name] for name in ("1.0", "1.1", "1.2")}
    assert [row["version"] for row in ground.call("version.prune")["versions"]] == \
        [ground.versions["1.0"]]
    for version in (ground.versions["1.1"], ground.versions["1.2"]):
        with pytest.raises(Refused) as caught:
            ground.call("version.remove", datastore="fake", version=version)
        assert caught.value.reason == "busy"


def test_prune_waits_for_jobs_that_name_a_version(ground):
    ground.rule(("after", "stop", '{"begin":"settle"'))
    upgrade = ground.submit("instance.upgrade", instance="main", version=ground.versions["1.1"])
    pid = wait_for(ground.fired)
    wait_for(lambda: ground.stopped(pid))
    prune = ground.submit("version.prune")
    assert ground.job(prune)["waiting_for"] == [upgrade]
    os.kill(pid, 18)
    assert ground.outcome(prune) == "ok"
    assert there(ground) == {ground.versions["1.0"], ground.versions["1.1"]}


def test_killed_prune_goes_on_and_tells_of_all_that_it_removed(ground):
    ground.rule(("after", "stop", '{"begin":"remove"'))
    job = ground.submit("version.prune")
    pid = wait_for(ground.fired)
    wait_for(lambda: ground.stopped(pid))
    kill(pid)
    assert ground.outcome(job) == "ok"
    assert ground.job(job)["result"]["count"] == 2
    assert there(ground) == {ground.versions["1.0"]}
