"""No space left: the reason is told, nothing is left over, and the engine goes on."""

import os

import pytest

from disk import Disk
from ground import BUILD, Ground
from session import Counter, app
from wait import Refused, kill, wait_for


class Small(Ground):
    """One of its places lies on a small disk of its own."""

    def __init__(self, place, megabytes):
        super().__init__(BUILD, 8)
        self.disk = Disk(self.top / "image", self.top / "disk", "ext4", megabytes)
        setattr(self, place, self.top / "disk" / place)

    def make(self):
        self.top.mkdir()
        self.disk.make()
        super().make()
        return self

    def _keep(self, place):
        pass

    def remove(self):
        self.down()
        self.disk.unmount()
        super().remove()


@pytest.fixture
def small(request):
    ground = Small(*request.param)
    try:
        ground.make()
        ground.up().serving()
        yield ground
    finally:
        ground.remove()


def refused(ground, reasons, method, **params):
    """Fails for one of these reasons, while a client writes on, and leaves nothing behind."""
    before = ground.look()
    counter = Counter(ground.socket("main"))
    counter.start()
    try:
        with pytest.raises(Refused) as caught:
            ground.call(method, **params)
    finally:
        counter.stop()
    assert caught.value.reason in reasons, caught.value.data
    wait_for(lambda: ground.look() == before, 8, "all to be as before")
    app(ground).close()
    return caught.value.data


@pytest.mark.parametrize("small", [("versions_dir", 48)], indirect=True)
def test_pull_without_space(small):
    small.disk.fill(leave_kib=512)
    told = refused(small, ("no_space",), "version.pull", datastore="fake",
                   source=f"dir:{small.top}/trees/1.2")
    assert told["needed_bytes"] > told["free_bytes"]
    small.disk.free()
    small.call("version.pull", datastore="fake", source=f"dir:{small.top}/trees/1.2")


@pytest.mark.parametrize("small", [("versions_dir", 48)], indirect=True)
def test_pull_whose_space_goes_away_meanwhile(small):
    small.rule(("after", "stop", '{"begin":"unpack"'))
    job = small.submit("version.pull", datastore="fake", source=f"dir:{small.top}/trees/1.2")
    before = [name for name in small.look()["versions"] if "/." not in name]
    pid = wait_for(small.fired)
    wait_for(lambda: small.stopped(pid))
    small.disk.fill(leave_kib=64)
    os.kill(pid, 18)
    assert small.outcome(job) == "no_space"
    assert small.look()["versions"] == before


@pytest.mark.parametrize("small", [("backups", 24)], indirect=True)
def test_backup_without_space(small):
    line = app(small)
    for number in range(400):
        line.ask("SET", f"big{number}", os.urandom(1500).hex())
    line.close()
    small.disk.fill(leave_kib=100)
    refused(small, ("no_space",), "backup.create", instance="main", backup="next")
    small.disk.free()
    small.call("backup.create", instance="main", backup="next")


@pytest.mark.parametrize("small", [("state", 700)], indirect=True)
def test_restore_and_create_without_space(small):
    small.disk.fill(leave_kib=8192)
    refused(small, ("no_space",), "backup.restore", instance="second", backup="good",
            port=small.port + 1)
    refused(small, ("no_space",), "instance.create", instance="second", datastore="fake",
            version=small.versions["1.0"])


@pytest.mark.parametrize("small", [("state", 700)], indirect=True)
def test_c04_disk_that_is_full_in_the_middle_of_an_upgrade(small):
    """What is to be written by then lies preallocated; what cannot be written waits, closed."""
    small.rule(("after", "stop", '{"begin":"stop"'))
    job = small.submit("instance.upgrade", instance="main", version=small.versions["1.1"])
    pid = wait_for(small.fired)
    wait_for(lambda: small.stopped(pid))
    small.disk.fill()
    kill(pid)
    outcome = small.outcome(job, 30)
    assert outcome in ("rolled_back", "needs_attention", "ok")
    small.disk.free()
    if outcome == "needs_attention":
        assert small.look()["instances"]["main"]["closed"]
        small.call("instance.recover", instance="main")
    wait_for(lambda: small.look()["instances"]["main"]["engine"] not in
             (None, "does not answer"), 8, "the engine")
    main = small.look()["instances"]["main"]
    assert not main["closed"] and main["engine"]["gate"] == "open"
    assert main["version"] == small.versions["1.1" if outcome == "ok" else "1.0"]
    app(small).close()


@pytest.mark.parametrize("small", [("state", 700)], indirect=True)
def test_job_on_a_full_disk_is_refused_and_reads_go_on(small):
    small.disk.fill()
    with pytest.raises(Refused) as caught:
        small.call("database.create", instance="main", name="new")
    assert caught.value.reason == "no_space", caught.value.data
    assert small.call("instance.show", instance="main")["status"] == "ACTIVE"
    assert small.call("database.list", instance="main")["databases"]
    small.disk.free()
    small.call("database.create", instance="main", name="new")
