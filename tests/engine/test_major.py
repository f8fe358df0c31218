"""To another major release, across C libraries: migrated beside, proved, or as it was before."""
import os
import pathlib
import shutil
import sys
import tempfile
import time

import psycopg2
import pytest
from conftest import CACHE, create
from daemon import Daemon, Failure
from shop import SHOPS, Prober

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))
from disk import Disk  # noqa: E402

MIGRATING = ["postgresql", "mariadb"]
# What each needs of the new tree to migrate, and not to start.
MIGRATOR = {"postgresql": "usr/lib/postgresql/*/bin/pg_upgrade",
            "mariadb": "usr/bin/mariadb-upgrade"}
# Garay letters came with Unicode 16: an older ICU sorts them behind everything, a newer one that
# knows them sorts them as letters, before Chinese.
BEFORE_OR_BEHIND = "\U00010d50"
CHINESE = "一"


@pytest.fixture(scope="module", params=MIGRATING)
def datastore(request):
    return request.param


@pytest.fixture
def shop(datastore):
    return SHOPS[datastore](port=SHOPS[datastore].port + 200)


@pytest.fixture
def instance(shop, pulled, tmp_path_factory):
    """A daemon with a filled instance on the newest release of the old major."""
    with Daemon(versions=CACHE / "versions") as daemon:
        create(daemon, shop, pulled[f"{shop.datastore} new"], port=shop.arguments["port"])
        shop.load(0.02)
        yield daemon


def data_folders(daemon, name):
    return sorted(path.name for path in (daemon.state / f"instances/{name}/data").iterdir())


def settled(daemon, name):
    """Statistics may follow the opening: then the job is still at it."""
    for job in daemon.call("job.list", instance=name, state="running")["jobs"]:
        daemon.call("job.wait", job=job["job"])
    return daemon.call("instance.show", instance=name)


def test_check_says_how_it_would_go(instance, datastore, pulled):
    answer = instance.call("instance.check_upgrade", instance=datastore)
    assert answer["ok"] is True
    assert answer["version"] == pulled[f"{datastore} next"]
    assert answer["migrates"] is True and answer["safepoint"] in ("clone", "copy")
    assert answer["needed_bytes"] > 64 << 20
    assert 1 < answer["expected_outage_s"] < 60


def test_next_major_is_committed_after_proof(instance, datastore, shop, pulled):
    count, version = shop.count(), pulled[f"{datastore} next"]
    with Prober(shop) as prober:
        time.sleep(0.1)
        answer = instance.call("instance.upgrade", instance=datastore, version=version)
        time.sleep(0.1)
    assert answer["proved"]["objects"] > 10 and answer["proved"]["users"] > 0
    assert 0.8 < answer["outage_s"] / prober.longest_gap_s < 1.2
    assert shop.count() == count
    shown = settled(instance, datastore)
    assert shown["version"] == version and shown["status"] == "ACTIVE"
    executable = os.readlink(f"/proc/{instance.engine(datastore)}/exe")
    assert executable.startswith("/usr")
    # The old data is there as it was; the next prediction knows what this one took.
    assert data_folders(instance, datastore) == ["1", "2"]
    assert (instance.state / "figures.json").exists()
    with pytest.raises(Failure) as failure:
        instance.call("instance.upgrade", instance=datastore,
                      version=pulled[f"{datastore} new"])
    assert failure.value.reason == "downgrade"
    # Until it is given up: it takes as much room again.
    freed = instance.call("instance.release", instance=datastore, confirm=datastore)
    assert freed["freed_bytes"] > 10 << 20
    assert data_folders(instance, datastore) == ["2"]
    assert shop.count() == count


def test_users_and_their_passwords_come_along(instance, datastore, pulled):
    instance.call("user.create", instance=datastore, name="bob", password="stays-as-it-is",
                  databases=["shop"], access="read")
    instance.call("instance.upgrade", instance=datastore, version=pulled[f"{datastore} next"])
    bob = SHOPS[datastore](port=SHOPS[datastore].port + 200, user="bob",
                           password="stays-as-it-is")
    bob.connect().close()
    rows = instance.call("user.show", instance=datastore, name="bob")
    assert rows["databases"] == {"shop": "read"}
    instance.call("user.create", instance=datastore, name="eve", password="new-at-once",
                  databases=["shop"], access="write")


def test_a_migration_that_fails_leaves_all_as_it_was(datastore, shop, pulled, tmp_path):
    versions = tmp_path / "versions" / datastore
    versions.mkdir(parents=True)
    old, new = pulled[f"{datastore} new"], pulled[f"{datastore} next"]
    (versions / old).symlink_to(CACHE / "versions" / datastore / old)
    shutil.copytree(CACHE / "versions" / datastore / new, versions / new, symlinks=True)
    program, = (versions / new / "tree").glob(MIGRATOR[datastore])
    program.unlink()
    program.write_text("#!/bin/sh\necho 'I will not'\nexit 3\n")
    program.chmod(0o755)
    with Daemon(versions=tmp_path / "versions") as daemon:
        create(daemon, shop, old, port=shop.arguments["port"])
        shop.load(0.01)
        count = shop.count()
        with pytest.raises(Failure) as failure:
            daemon.call("instance.upgrade", instance=datastore, version=new)
        assert failure.value.reason == "rolled_back"
        assert "I will not" in failure.value.data["cause"]["native"]
        assert daemon.call("instance.show", instance=datastore)["version"] == old
        assert shop.count() == count
        assert data_folders(daemon, datastore) == ["1"]


@pytest.fixture
def cloning(tmp_path):
    """A file system that clones, at a path short enough for sockets."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="dbg-", dir="/tmp"))
    disk = Disk(tmp_path / "image", place, kind="xfs", megabytes=1200).make()
    yield place
    disk.unmount()
    place.rmdir()


def test_where_the_file_system_clones_nothing_is_copied(cloning, datastore, shop, pulled):
    with Daemon(versions=CACHE / "versions", folder=cloning / "d") as daemon:
        create(daemon, shop, pulled[f"{datastore} new"], port=shop.arguments["port"])
        shop.load(0.02)
        count = shop.count()
        version = pulled[f"{datastore} next"]
        check = daemon.call("instance.check_upgrade", instance=datastore, version=version)
        assert check["safepoint"] == "clone"
        daemon.call("instance.upgrade", instance=datastore, version=version)
        assert shop.count() == count
        assert data_folders(daemon, datastore) == ["1", "2"]


def test_a_clone_is_asked_for_in_vain_where_there_is_none(instance, datastore, pulled):
    folder = instance.state
    if can_clone(folder):
        pytest.skip("this machine lacks a file system for /tmp that cannot clone")
    with pytest.raises(Failure) as failure:
        instance.call("instance.check_upgrade", instance=datastore, safepoint="clone",
                      version=pulled[f"{datastore} next"])
    assert failure.value.reason == "unsupported" and "copy" in failure.value.data["hint"]


def can_clone(folder):
    probe = pathlib.Path(folder) / "probe"
    probe.write_text("x")
    return os.system(f"cp --reflink=always {probe} {probe}.2 2>/dev/null") == 0


def postgresql_shop():
    return SHOPS["postgresql"](port=SHOPS["postgresql"].port + 200)


@pytest.fixture
def postgresql(pulled):
    shop = postgresql_shop()
    with Daemon(versions=CACHE / "versions") as daemon:
        create(daemon, shop, pulled["postgresql new"], port=shop.arguments["port"])
        yield daemon, shop


def ask(shop, *statements):
    """The rows of the last one."""
    with shop.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(*statement) if isinstance(statement, tuple) else cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_an_index_whose_order_has_changed_is_rebuilt(postgresql, pulled):
    daemon, shop = postgresql
    version = pulled["postgresql next"]
    ask(shop, 'CREATE TABLE word (w text COLLATE "de-x-icu", t text COLLATE "tr-x-icu")',
        "CREATE UNIQUE INDEX in_german ON word (w)", "CREATE INDEX in_turkish ON word (t)",
        "CREATE INDEX in_c ON word ((w COLLATE \"C\"))",
        ("INSERT INTO word SELECT %s || i, 'i' || i FROM generate_series(1, 500) i", (CHINESE,)),
        ("INSERT INTO word VALUES (%s, 'ı')", (BEFORE_OR_BEHIND,)))
    check = daemon.call("instance.check_upgrade", instance="postgresql", version=version)
    found = [row for row in check["findings"] if row["reason"] == "collation_changed"]
    assert len(found) == 1 and found[0]["severity"] == "warning"
    assert "in_german" in found[0]["message"] and "in_turkish" in found[0]["message"]
    assert "in_c" not in found[0]["message"]
    job = daemon.call("instance.upgrade", instance="postgresql", version=version)["job"]
    adapt, = [step for step in daemon.call("job.show", job=job)["steps"] if step["step"] == "adapt"]
    assert adapt["what"].startswith("order of 2 indexes proved, 1 rebuilt")
    assert ask(shop, "SET enable_seqscan = off", "SET enable_bitmapscan = off",
               ("SELECT count(*) FROM word WHERE w = %s", (BEFORE_OR_BEHIND,))) == [(1,)]
    assert ask(shop, "SELECT count(*) FROM pg_collation WHERE"
               " collversion <> pg_collation_actual_version(oid)") == [(0,)]


def test_another_build_of_the_same_major_may_sort_otherwise_too(pulled):
    """Played by data that says it was sorted by another ICU: Debian has one for each major."""
    shop = postgresql_shop()
    with Daemon(versions=CACHE / "versions") as daemon:
        create(daemon, shop, pulled["postgresql old"], port=shop.arguments["port"])
        ask(shop, 'CREATE TABLE word (w text COLLATE "de-x-icu")', "CREATE INDEX sorted ON word (w)",
            "INSERT INTO word SELECT 'w' || i FROM generate_series(1, 100) i")
        for name in "shop", "postgres":
            agent = psycopg2.connect(host=str(daemon.run / "postgresql"), dbname=name,
                                     port=shop.arguments["port"], user="postgres")
            with agent, agent.cursor() as cursor:
                cursor.execute("UPDATE pg_collation SET collversion = '1'"
                               " WHERE collprovider = 'i'")
            agent.close()
        job = daemon.call("instance.upgrade", instance="postgresql",
                          version=pulled["postgresql new"])["job"]
        adapt, = [step for step in daemon.call("job.show", job=job)["steps"]
                  if step["step"] == "adapt"]
        assert adapt["what"] == "order of 1 indexes proved, 0 rebuilt"
        assert ask(shop, "SELECT count(*) FROM pg_collation WHERE collname = 'de-x-icu'"
                         " AND collversion = '1'") == [(0,)]


@pytest.mark.parametrize("statement, reason", [
    ("CREATE TABLE config (dictionary regdictionary)", "column_type"),
])
def test_what_pg_upgrade_refuses_is_said_before(postgresql, pulled, statement, reason):
    daemon, shop = postgresql
    ask(shop, statement)
    with pytest.raises(Failure) as failure:
        daemon.call("instance.upgrade", instance="postgresql", version=pulled["postgresql next"])
    assert failure.value.reason == "blocked"
    assert reason in [row["reason"] for row in failure.value.data["findings"]]


def test_a_setting_that_the_new_version_lacks_is_said_before(postgresql, pulled):
    daemon, _ = postgresql
    daemon.call("instance.configure", instance="postgresql",
                settings={"old_snapshot_threshold": "1h"})
    daemon.call("instance.restart", instance="postgresql")
    check = daemon.call("instance.check_upgrade", instance="postgresql",
                        version=pulled["postgresql next"])
    blocker, = [row for row in check["findings"] if row["severity"] == "blocker"]
    assert blocker["reason"] == "setting_unknown"
    assert "old_snapshot_threshold" in blocker["message"]
    daemon.call("instance.configure", instance="postgresql",
                settings={"old_snapshot_threshold": None})
    daemon.call("instance.restart", instance="postgresql")
    daemon.call("instance.upgrade", instance="postgresql", version=pulled["postgresql next"])
