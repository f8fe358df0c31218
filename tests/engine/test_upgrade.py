"""Same-format upgrades on real engines, and each way in which they come back."""
import json
import os
import pathlib
import shutil
import signal
import time

import pytest
from conftest import CACHE, create
from daemon import Daemon, Failure
from shop import Prober


def version_of(daemon, instance):
    return daemon.call("instance.show", instance=instance)["version"]


def test_check_says_what_would_be(daemon, instance, old, new):
    answer = daemon.call("instance.check_upgrade", instance=instance, version=new)
    assert answer["ok"] is True
    assert answer["from_version"] == old and answer["version"] == new
    assert 0 < answer["expected_outage_s"] < 30
    assert version_of(daemon, instance) == old


def test_upgrade_is_committed_after_proof(daemon, instance, shop, old, new):
    count = shop.count()
    with Prober(shop) as prober:
        time.sleep(0.2)
        answer = daemon.call("instance.upgrade", instance=instance, version=new)
        time.sleep(0.2)
    assert answer["from_version"] == old
    assert answer["proved"]["users"] > 0
    assert shop.count() == count
    assert prober.longest_gap_s < 30
    shown = daemon.call("instance.show", instance=instance)
    assert shown["status"] == "ACTIVE" and shown["version"] == new
    executable = os.readlink(f"/proc/{daemon.engine(instance)}/exe")
    assert executable.startswith("/usr")
    assert not (daemon.state / "instances" / instance / "closed").exists()


def test_the_same_version_again_is_refused(daemon, instance, new):
    with pytest.raises(Failure) as failure:
        daemon.call("instance.upgrade", instance=instance, version=new)
    assert failure.value.reason == "invalid"


def test_downgrade_is_refused_but_another_build_may_go_both_ways(daemon, instance, shop, old, new):
    if old.split("+")[0] == new.split("+")[0]:
        count = shop.count()
        daemon.call("instance.upgrade", instance=instance, version=old)
        assert version_of(daemon, instance) == old
        daemon.call("instance.upgrade", instance=instance, version=new)
        assert shop.count() == count
        return
    with pytest.raises(Failure) as failure:
        daemon.call("instance.upgrade", instance=instance, version=old)
    assert failure.value.reason == "downgrade"


def test_what_is_not_present_must_be_pulled(daemon, instance):
    with pytest.raises(Failure) as failure:
        daemon.call("instance.upgrade", instance=instance, version="99.1+deb99u1")
    assert failure.value.reason == "not_found"
    assert "pull" in failure.value.data["hint"]


def test_next_major(daemon, instance, datastore, shop, following):
    version = following
    count = shop.count()
    daemon.call("instance.upgrade", instance=instance, version=version)
    assert version_of(daemon, instance) == version
    assert shop.count() == count


def test_a_stopped_instance_is_not_upgraded(daemon, instance, following):
    version = following
    daemon.call("instance.stop", instance=instance)
    with pytest.raises(Failure) as failure:
        daemon.call("instance.upgrade", instance=instance, version=version)
    assert failure.value.reason in ("blocked", "incompatible", "invalid")
    daemon.call("instance.start", instance=instance)


@pytest.fixture(scope="module")
def following(pulled, datastore):
    """The next major version."""
    if f"{datastore} next" not in pulled:
        pytest.skip(f"Debian has one {datastore} only")
    return pulled[f"{datastore} next"]


@pytest.fixture
def broken(pulled, tmp_path, datastore, new):
    """A daemon whose newer version is a tree of its own that a test may break."""
    versions = tmp_path / "versions" / datastore
    versions.mkdir(parents=True)
    old = pulled[f"{datastore} old"]
    (versions / old).symlink_to(CACHE / "versions" / datastore / old)
    shutil.copytree(CACHE / "versions" / datastore / new, versions / new, symlinks=True)
    with Daemon(versions=tmp_path / "versions") as running:
        yield running, versions / new / "tree"


@pytest.fixture
def elsewhere(shop):
    """The same shop at another port, beside the module's instance."""
    return type(shop)(port=shop.port + 100)


def engine_program(tree):
    found = [path for pattern in ("usr/lib/postgresql/*/bin/postgres", "usr/sbin/mariadbd",
                                  "usr/sbin/mysqld", "usr/bin/redis-check-rdb",
                                  "usr/bin/valkey-check-rdb")
             for path in tree.glob(pattern) if not path.is_symlink()]
    return found[0]


@pytest.mark.parametrize("how", ["does not start", "dies after its start", "a library is missing"])
def test_a_version_that_fails_leaves_the_old_one(broken, datastore, elsewhere, pulled, new, how):
    daemon, tree = broken
    shop = elsewhere
    old = pulled[f"{datastore} old"]
    create(daemon, shop, old, port=shop.arguments["port"])
    shop.load(0.01)
    count = shop.count()
    program = engine_program(tree)
    if how == "a library is missing":
        for library in tree.glob("usr/lib/*/libcrypto.so.3"):
            library.unlink()
    else:
        ending = "exit 1" if how == "does not start" else "sleep 0.2; exit 3"
        real = program.with_suffix(".real")
        program.rename(real)
        # it still tells its version, so that only the start can show the fault
        program.write_text(f'#!/bin/sh\ncase "$*" in *--version*|*-C*|*--help*|"-") '
                           f'exec {"/" / real.relative_to(tree)} "$@";; esac\n'
                           f'echo "cannot go on" >&2\n{ending}\n')
        program.chmod(0o755)
    with Prober(shop):
        time.sleep(0.1)
        with pytest.raises(Failure) as failure:
            daemon.call("instance.upgrade", instance=datastore, version=new)
        time.sleep(0.1)
    assert failure.value.reason in ("rolled_back", "engine")
    assert version_of(daemon, datastore) == old
    assert daemon.call("instance.show", instance=datastore)["status"] == "ACTIVE"
    assert shop.count() == count
    job = daemon.call("job.list", method="instance.upgrade")["jobs"][0]
    assert job["outcome"] == failure.value.reason


def test_a_tree_that_lies_about_its_version_is_found_out(daemon, tmp_path, datastore, old):
    tree = tmp_path / "tree"
    shutil.copytree(CACHE / "versions" / datastore / old / "tree", tree, symlinks=True)
    program = engine_program(tree)
    program.unlink()
    program.write_text("#!/bin/sh\necho 'something else 1.2.3'\n")
    program.chmod(0o755)
    with pytest.raises(Failure) as failure:
        daemon.call("version.pull", datastore=datastore, source=f"dir:{tree}")
    assert failure.value.reason in ("incompatible", "corrupt", "engine")


@pytest.mark.parametrize("victim", ["daemon", "worker", "engine", "all"])
def test_killed_in_the_middle_it_ends_by_itself(pulled, datastore, elsewhere, new, victim):
    shop = elsewhere
    old = pulled[f"{datastore} old"]
    with Daemon(versions=CACHE / "versions") as daemon:
        create(daemon, shop, old, port=shop.arguments["port"])
        shop.load(0.01)
        count = shop.count()
        job = daemon.call("instance.upgrade", instance=datastore, version=new, detach=True)["job"]
        time.sleep(0.15)
        victims = []
        if victim in ("worker", "all"):
            victims += list(daemon.workers())
        if victim in ("engine", "all"):
            victims += [daemon.engine(datastore)]
        if victim in ("daemon", "all"):
            daemon.kill()
        for pid in victims:
            try:
                os.kill(pid or 0 or -2 ** 30, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if daemon.client is None:
            daemon.start()
        ended = daemon.call("job.wait", job=job)
        ends = time.monotonic() + 30
        while daemon.call("instance.show", instance=datastore)["status"] != "ACTIVE":
            assert time.monotonic() < ends
            time.sleep(0.05)
        assert ended["state"] == "ended"
        assert version_of(daemon, datastore) == (new if ended["outcome"] == "ok" else old)
        if victim == "daemon":
            assert ended["outcome"] == "ok"
        assert shop.count() == count
        assert json.dumps(ended)
        assert not pathlib.Path(daemon.state / "instances" / datastore / "closed").exists()
