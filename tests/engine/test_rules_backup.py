"""The rules of backups and restores that only a real engine can break."""
import contextlib
import pathlib
import subprocess
import sys
import threading
import time

import psycopg2
import pymysql
import pytest
import redis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))
from disk import Disk  # noqa: E402
from test_kill_real import begin  # noqa: E402
from wait import wait_for  # noqa: E402
from test_rules import ask, ended, real  # noqa: E402, F401


class Committer(threading.Thread):
    """Writes all the time on one connection; gives each up after patience_s and tries again."""

    def __init__(self, ground, statement, patience_s):
        super().__init__(daemon=True)
        self.connection, self.statement = ground.shop.connect(), statement
        with self.connection.cursor() as cursor:
            cursor.execute(f"SET SESSION lock_wait_timeout = {patience_s}")
        self.stopping = threading.Event()
        self.last = time.monotonic()
        self.longest_s, self.given_up, self.failure = 0.0, 0, None

    def run(self):
        while not self.stopping.is_set():
            try:
                with self.connection.cursor() as cursor:
                    cursor.execute(self.statement)
            except pymysql.OperationalError as error:
                if error.args[0] != 1205:  # waited for a lock for too long
                    self.failure = error
                    return
                self.given_up += 1
                continue
            now = time.monotonic()
            self.longest_s, self.last = max(self.longest_s, now - self.last), now

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join(60)
        self.connection.close()


@contextlib.contextmanager
def frozen(place):
    """Who writes there waits, and no signal ends that."""
    subprocess.run(["fsfreeze", "--freeze", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", place], check=True)


# What is copied while the lock is held that they wait for: more than all buffers on the way take.
BULK = f"CONCAT({', '.join(16 * ['RANDOM_BYTES(1024)'])})"
STATISTICS = "mysql.column_stats (db_name, table_name, column_name, histogram)" \
             f" VALUES ('shop', 'none', row, {BULK})"
OF_MYISAM = f"shop.notes VALUES ({BULK})"


@pytest.mark.parametrize("bulk, statement, patience_s", [
    (STATISTICS, "INSERT INTO pulse () VALUES ()", 60),
    (STATISTICS, "INSERT INTO pulse () VALUES ()", 2),
    (OF_MYISAM, "INSERT INTO notes VALUES ('here')", 60),
], ids=["commits", "commits_given_up", "writes_to_myisam"])
@pytest.mark.parametrize("real", ["mariadb"], indirect=True)
def test_c25_a_stalled_destination_freezes_nobody(real, bulk, statement, patience_s):
    begin(real)
    ask(real, "CREATE TABLE shop.notes (text BLOB) ENGINE = MyISAM")
    ask(real, f"FOR row IN 1..8000 DO INSERT INTO {bulk}; END FOR")
    behind_the_lock = real.call("backup.show", backup="good")["size_bytes"] + (16 << 20)
    disk = Disk(real.top / "disk", real.backups).make()

    def written():
        return sum(path.stat().st_size for path in real.backups.glob(".*/data.*"))
    try:
        with Committer(real, statement, patience_s) as client:
            job = real.submit("backup.create", instance="main", backup="stalled")
            wait_for(lambda: written() > behind_the_lock, 60, "the lock to be held")
            with frozen(real.backups):
                stalled = time.monotonic()
                wait_for(lambda: time.monotonic() - client.last > 1, 10, "clients to wait")
                wait_for(lambda: client.last > stalled + 3, 20, "clients to go on")
                assert not real.job(job).get("outcome"), "the destination still stalls"
            assert ended(real, job)[0] == "busy", real.job(job)
        assert client.failure is None
        assert 4 < client.longest_s < 6
        assert bool(client.given_up) == (patience_s < 5)
        assert [path.name for path in real.backups.iterdir()] == ["lost+found"]
    finally:
        disk.unmount()


def history(ground, instance):
    """What tells this instance's history from another's."""
    path = {"postgresql": "", "mariadb": "mysql.sock", "redis": "redis.sock"}[ground.datastore]
    place = ground.run_dir / instance / path
    if ground.datastore == "redis":
        secret = (ground.state / f"instances/{instance}/agent.secret").read_text()
        client = redis.Redis(unix_socket_path=str(place), username="dbguest", password=secret)
        return client.info("replication")["master_replid"]
    if ground.datastore == "postgresql":
        port = ground.port + (instance == "main")
        client = psycopg2.connect(host=str(place), port=port, user="postgres", dbname="postgres")
    else:
        client = pymysql.connect(unix_socket=str(place), user="root")
    with client.cursor() as cursor:
        cursor.execute({"postgresql": "SELECT timeline_id FROM pg_control_checkpoint()",
                        "mariadb": "SELECT @@server_id"}[ground.datastore])
        value = cursor.fetchone()[0]
    client.close()
    return value


def test_c26_a_restored_database_begins_a_new_history(real):
    begin(real)
    outcome, error = ended(real, real.submit("backup.restore", instance="second", backup="good",
                                             port=real.port))
    assert outcome == "ok", error
    assert history(real, "second") != history(real, "main")
