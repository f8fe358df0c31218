"""What becomes of versions: which may go, and who waits for whom."""

import os
import pathlib
import subprocess

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


@pytest.fixture
def bundle(ground):
    """What version.bundle is to make, and with which key."""
    key, folder = ground.top / "key.pem", ground.top / "bundles"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    key.chmod(0o600)
    folder.mkdir()
    return {"datastore": "fake", "version": ground.versions["2.0"], "file": f"{folder}/fake",
            "key": str(key)}


@pytest.mark.parametrize("when, record, outcome", [
    ("after", '{"begin":"pack"', "interrupted"), ("after", '{"begin":"sign"', "interrupted"),
    ("after", '{"done":"publish"', "interrupted"), ("after", '{"commit"', "ok")])
def test_killed_bundle_is_there_as_a_whole_or_not_at_all(ground, bundle, when, record, outcome):
    ground.rule((when, "stop", record))
    job = ground.submit("version.bundle", **bundle)
    pid = wait_for(ground.fired)
    wait_for(lambda: ground.stopped(pid))
    kill(pid)
    assert ground.outcome(job) == outcome
    assert os.listdir(ground.top / "bundles") == (["fake"] if outcome == "ok" else [])
    if outcome == "ok":
        assert ground.job(job)["result"]["size_bytes"] == os.path.getsize(bundle["file"])


def test_key_of_a_bundle_is_kept_nowhere(ground, bundle):
    ground.call("version.bundle", **bundle)
    secret = pathlib.Path(bundle["key"]).read_text().splitlines()[1].encode()
    told = [path for folder in (ground.state, ground.run_dir, ground.top / "bundles")
            for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert told == [] and secret not in (ground.top / "log").read_bytes()


def test_a_version_is_not_removed_while_it_is_bundled(ground, bundle):
    ground.rule(("after", "stop", '{"begin":"pack"'))
    job = ground.submit("version.bundle", **bundle)
    pid = wait_for(ground.fired)
    wait_for(lambda: ground.stopped(pid))
    remove = ground.submit("version.remove", datastore="fake", version=bundle["version"])
    assert ground.job(remove)["waiting_for"] == [job]
    os.kill(pid, 18)
    assert ground.outcome(job) == "ok" and ground.outcome(remove) == "ok"


def test_a_pull_gives_way_to_engines(ground):
    ground.rule(("after", "stop", '{"begin":"fetch"'))
    job = ground.submit("version.pull", datastore="fake", source=f"dir:{ground.top}/trees/1.2")
    pid = wait_for(ground.fired)
    wait_for(lambda: ground.stopped(pid))
    assert os.getpriority(os.PRIO_PROCESS, pid) == 11  # pull_weight 10
    assert os.getpriority(os.PRIO_PROCESS, ground.engine_pid()) == 0
    disk = subprocess.run(["ionice", "-p", str(pid)], capture_output=True, text=True, check=True)
    assert disk.stdout.strip() == "idle"
    os.kill(pid, 18)
    assert ground.outcome(job) == "ok"


def test_what_a_source_has_is_listed_and_nothing_is_touched(ground):
    before = ground.look()
    source = f"dir:{ground.top}/trees/1.2"
    listed = ground.call("version.list", datastore="fake", available=source)
    assert [row["source"] for row in listed["versions"]] == [source]
    assert listed["next_marker"] is None and ground.look() == before
    with pytest.raises(Refused) as caught:
        ground.call("version.list", available=source)
    assert caught.value.reason == "invalid"
