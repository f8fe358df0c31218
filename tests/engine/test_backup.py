"""A backup counts once it has been restored."""
import hashlib
import json
import subprocess
import time

import pytest
from daemon import Failure
from shop import PASSWORD, Prober


@pytest.fixture(scope="module")
def backup(daemon, instance, shop):
    with Prober(shop) as prober:
        time.sleep(0.1)
        row = daemon.call("backup.create", instance=instance, note="für die Prüfung")
    assert prober.failures == 0
    return row


def folder(daemon, backup):
    return daemon.backups / backup["backup"]


def test_it_is_noted_and_listed(daemon, backup, instance, datastore):
    listed = daemon.call("backup.list", instance=instance)["backups"]
    assert [row["backup"] for row in listed] == [backup["backup"]]
    shown = daemon.call("backup.show", backup=backup["backup"])
    assert shown["datastore"] == datastore and shown["note"] == "für die Prüfung"
    manifest = json.loads((folder(daemon, backup) / "manifest.json").read_text())
    data = (folder(daemon, backup) / manifest["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == manifest["sha256"] == shown["sha256"]
    assert len(data) == manifest["size_bytes"]


def test_standard_tools_unpack_it(daemon, backup):
    shown = daemon.call("backup.show", backup=backup["backup"])
    packed = shown["by_hand"].split("<")[1].split("|")[0].split(">")[0].strip()
    assert packed == shown["file"]
    unpacked = subprocess.run(["zstd", "-d", "-c", packed], capture_output=True, check=True).stdout
    assert len(unpacked) > 1000


def test_verification_restores_it_and_leaves_nothing(daemon, backup):
    answer = daemon.call("backup.verify", backup=backup["backup"])
    assert answer["verified_at"] and answer["restore_s"] > 0
    assert answer["compared"]["users"] > 0
    assert daemon.call("backup.show", backup=backup["backup"])["verified_at"]
    assert not list((daemon.state / "scratch").glob("*"))


def test_restored_beside_with_users_and_rows(daemon, backup, shop, datastore):
    daemon.call("backup.restore", backup=backup["backup"], instance=f"{datastore}2", port=shop.port + 20)
    second = type(shop)(port=shop.port + 20)
    assert second.count() == shop.count()
    assert daemon.call("user.show", instance=f"{datastore}2", name="anna")["login"] is True
    daemon.call("user.create", instance=f"{datastore}2", name="later", password=PASSWORD)
    daemon.call("instance.restart", instance=f"{datastore}2")
    assert second.count() == shop.count()
    with pytest.raises(Failure) as failure:
        daemon.call("backup.restore", backup=backup["backup"], instance=f"{datastore}2")
    assert failure.value.reason == "exists"
    daemon.call("instance.delete", instance=f"{datastore}2", confirm=f"{datastore}2")


@pytest.mark.parametrize("where", ["begin", "middle", "end", "cut"])
def test_a_damaged_backup_is_found(daemon, backup, where):
    manifest = json.loads((folder(daemon, backup) / "manifest.json").read_text())
    path = folder(daemon, backup) / manifest["file"]
    good = path.read_bytes()
    place = {"begin": 10, "middle": len(good) // 2, "end": len(good) - 2}.get(where)
    path.write_bytes(good[: len(good) // 2] if place is None else
                     good[:place] + bytes([good[place] ^ 0x40]) + good[place + 1:])
    try:
        for method, more in (("backup.verify", {}), ("backup.restore", {"instance": "torn"})):
            with pytest.raises(Failure) as failure:
                daemon.call(method, backup=backup["backup"], **more)
            assert failure.value.reason == "corrupt"
        assert not (daemon.state / "instances" / "torn").exists()
    finally:
        path.write_bytes(good)


def test_cancelled_it_never_shows_up(daemon, instance, datastore):
    before = len(daemon.call("backup.list", instance=instance)["backups"])
    job = daemon.call("backup.create", instance=instance, detach=True)["job"]
    try:
        daemon.call("job.cancel", job=job)
    except Failure as failure:
        assert failure.reason == "busy"
    outcome = daemon.call("job.wait", job=job)["outcome"]
    after = len(daemon.call("backup.list", instance=instance)["backups"])
    assert after == before + (1 if outcome == "ok" else 0)
    assert not list(daemon.backups.glob(".*"))


def test_a_stopped_instance_gives_none(daemon, instance):
    daemon.call("instance.stop", instance=instance)
    with pytest.raises(Failure) as failure:
        daemon.call("backup.create", instance=instance)
    assert failure.value.reason == "engine"
    daemon.call("instance.start", instance=instance)


def test_delete_wants_the_name_again(daemon, instance):
    row = daemon.call("backup.create", instance=instance)
    with pytest.raises(Failure) as failure:
        daemon.call("backup.delete", backup=row["backup"], confirm="x")
    assert failure.value.reason == "invalid"
    daemon.call("backup.delete", backup=row["backup"], confirm=row["backup"])
    with pytest.raises(Failure) as failure:
        daemon.call("backup.show", backup=row["backup"])
    assert failure.value.reason == "not_found"
