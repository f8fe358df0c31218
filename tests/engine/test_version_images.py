"""Official images work as they are: look-alikes of them are pulled and serve.

They are made of the trees of the cache, with what the images differ in: where programs and
libraries lie, what dpkg knows, the environment, the data folders.
"""
import contextlib
import datetime
import os
import socket
import subprocess
import zoneinfo

import pytest

from conftest import CACHE, create
from daemon import Daemon
from oci import Layout, member, tar_of, zstd
from shop import SHOPS

LIBRARIES = "/opt/engine/lib"
ZONE = "TZ=America/St_Johns"
# What tar leaves out, renames, and the image's configuration says.
IMAGES = {
    "postgresql": ([], [], {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"
                "/usr/lib/postgresql/{major}/bin", "LANG=C.utf8", "GOSU_VERSION=1.17",
                "PG_MAJOR={major}", "PGDATA=/var/lib/postgresql/data", ZONE],
        "Volumes": {"/var/lib/postgresql/data": {}}, "Entrypoint": ["docker-entrypoint.sh"],
        "Cmd": ["postgres"], "StopSignal": "SIGINT"}),
    "mariadb": ([], [], {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LANG=C.UTF-8", "MARIADB_VERSION=1:{version}+maria~ubu2204", ZONE],
        "Volumes": {"/var/lib/mysql": {}}, "Cmd": ["mariadbd"]}),
    "mysql": (["./var/lib/dpkg/*"], [], {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "MYSQL_MAJOR=innovation", ZONE],
        "Volumes": {"/var/lib/mysql": {}}, "Cmd": ["mysqld"]}),
    "redis": (["./var/lib/dpkg/status"],
              ["s,^./usr/bin/redis-,./usr/local/bin/redis-,rS",
               f"s,^./usr/lib/[^/]*/\\(liblzf.*\\),.{LIBRARIES}/\\1,rS"], {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                f"LD_LIBRARY_PATH={LIBRARIES}", "REDIS_VERSION={version}", ZONE],
        "Volumes": {"/data": {}}, "WorkingDir": "/data", "Cmd": ["redis-server"]}),
    "valkey": (["./var/lib/dpkg/status"],
               ["s,^./usr/bin/valkey-,./usr/local/bin/valkey-,rS",
                f"s,^./usr/lib/[^/]*/\\(liblzf.*\\),.{LIBRARIES}/\\1,rS"], {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                f"LD_LIBRARY_PATH={LIBRARIES}", ZONE],
        "Volumes": {"/data": {}}, "WorkingDir": "/data", "Cmd": ["valkey-server"]}),
}
# An answer, and the zone in which the engine tells the time; PostgreSQL's is a setting of its own.
QUERIES = {
    "postgresql": "SELECT 6 * 7, 'NST'",
    "mariadb": "SELECT 6 * 7, @@system_time_zone",
    "mysql": "SELECT 6 * 7, @@system_time_zone",
}


def look_alike(folder, datastore, version):
    left_out, renamed, config = IMAGES[datastore]
    tree = CACHE / "versions" / datastore / version / "tree"
    words = [f"--exclude={name}" for name in left_out]
    words += [f"--transform={rule}" for rule in renamed]
    packed = subprocess.run(["tar", "-C", tree, *words, "-c", "."], check=True,
                            stdout=subprocess.PIPE).stdout
    layout = Layout(folder).layer(packed, zstd)
    layout.layer(tar_of(member("usr/local/bin/docker-entrypoint.sh", b"#!/bin/sh\nexit 1\n"),
                        member("docker-entrypoint-initdb.d/", kind=b"5")), None)
    words = {"version": version.split("+")[0], "major": version.split(".")[0]}
    config["Env"] = [line.format(**words) for line in config["Env"]]
    return layout.finish(**config)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(shop, datastore):
    with contextlib.closing(shop.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(QUERIES[datastore])
        answer, zone = cursor.fetchone()
    assert answer == 42 and zone in ("NST", "NDT")


def ask_keys(shop, log):
    connection = shop.connect()
    connection.set("answer", 42)
    assert int(connection.get("answer")) == 42
    there = datetime.datetime.now(zoneinfo.ZoneInfo("America/St_Johns"))
    assert there.strftime("%d %b %Y %H:") in log.read_text() or there.minute < 5


@pytest.fixture
def elsewhere():
    """A daemon that has no version yet."""
    daemon = Daemon()
    daemon.versions.mkdir(parents=True, exist_ok=True)
    with daemon:
        yield daemon


def test_look_alike_of_the_official_image_serves(elsewhere, datastore, old, tmp_path):
    layout = look_alike(tmp_path / "layout", datastore, old)
    pulled = elsewhere.call("version.pull", datastore=datastore, source=f"oci:{layout}:v1")
    tree = elsewhere.versions / datastore / pulled["version"] / "tree"
    assert (tree / "usr/local/bin/docker-entrypoint.sh").exists()

    port = free_port()
    create(elsewhere, SHOPS[datastore], pulled["version"], port=port)
    shop = SHOPS[datastore](port=port)
    if datastore in QUERIES:
        ask(shop, datastore)
    else:
        ask_keys(shop, elsewhere.state / "instances" / datastore / "log/engine.log")
    assert os.stat(f"/proc/{elsewhere.engine(datastore)}").st_uid >= 64100
    shown = elsewhere.call("version.show", datastore=datastore, version=pulled["version"])
    assert ZONE in shown["image"]["env"]
