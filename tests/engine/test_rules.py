"""The rules that only a real engine can break, each by its name."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import sys
import time

import psycopg2
import pymysql
import pytest
import redis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))
from test_kill_real import Real, begin  # noqa: E402
from shop import Prober  # noqa: E402
from wait import Refused, wait_for  # noqa: E402


@pytest.fixture(scope="module", params=["postgresql", "mariadb", "redis"])
def real(request):
    ground = Real(request.param)
    try:
        ground.make()
        yield ground
    finally:
        ground.remove()


def pause(ground, method, record, **params):
    """The job, and its worker, stopped right after that record."""
    ground.rule(("after", "stop", record))
    job = ground.submit(method, instance="main", **params)
    return job, ground.await_rules(job, stop=True)


def agent_postgresql(ground, database="postgres"):
    connection = psycopg2.connect(host=str(ground.run_dir / "main"), port=ground.port + 1,
                                  user="postgres", dbname=database)
    connection.autocommit = True
    return connection


def agent_mariadb(ground):
    return pymysql.connect(unix_socket=str(ground.run_dir / "main/mysql.sock"), user="root",
                           autocommit=True)


def agent_redis(ground):
    secret = (ground.state / "instances/main/agent.secret").read_text()
    return redis.Redis(unix_socket_path=str(ground.run_dir / "main/redis.sock"),
                       username="dbguest", password=secret)


AGENTS = {"postgresql": agent_postgresql, "mariadb": agent_mariadb, "redis": agent_redis}


def ask(ground, words):
    """One statement by the way that only the agent has, closed or not; its first value."""
    connection = AGENTS[ground.datastore](ground)
    try:
        if ground.datastore == "redis":
            return connection.execute_command(*words.split())
        with connection.cursor() as cursor:
            cursor.execute(words)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


WRITES = {"postgresql": "CREATE TABLE public.stranger ()",
          "mariadb": "CREATE TABLE shop.stranger (a INT)", "redis": "SET stranger 1"}
READS = {"postgresql": "SELECT 1", "mariadb": "SELECT 1", "redis": "GET stranger"}


@pytest.mark.parametrize("words", [READS, WRITES], ids=["reads", "writes"])
def test_c18_somebody_who_was_in_while_closed_keeps_it_closed(real, words):
    begin(real)
    before = real.look()
    job, worker = pause(real, "instance.upgrade", '{"begin":"prove"', version=real.new)
    ask(real, words[real.datastore])
    os.kill(worker, signal.SIGCONT)
    assert real.outcome(job, 60) == "needs_attention"
    assert (real.state / "instances/main/closed").exists()
    with pytest.raises(Exception):
        real.shop.pulse()
    assert real.look()["instances"]["main"] == real.new, "nothing was undone"
    assert "somebody was in while it was closed" in real.job(job)["error"]["message"]
    # a daemon that begins anew changes nothing; a person does
    real.kill_daemon()
    real.up()
    assert real.outcome(job, 60) == "needs_attention"
    assert (real.state / "instances/main/closed").exists()
    real.call("instance.recover", instance="main")
    real.serving()
    wait_for(lambda: real.job(job).get("outcome") == "rolled_back", 30, "the end")
    wait_for(lambda: real.look() == before, 30, "the old version")
    if words is WRITES and real.datastore == "redis":
        assert ask(real, "GET stranger") == b"1", "what was written in both versions' data stays"


def test_c18_nobody_in_is_no_alarm_however_many_knock(real):
    begin(real)
    with Prober(real.shop):
        job = real.submit("instance.upgrade", instance="main", version=real.new)
        for _ in range(20):
            real.call("instance.show", instance="main")
        assert real.outcome(job, 60) == "ok", real.job(job)["error"]


PENDING = {"postgresql": {"max_connections": 123}, "mariadb": {"performance_schema": True},
           "redis": {"databases": 32}}


def test_a_setting_that_waits_for_a_restart_comes_with_the_upgrade(real):
    begin(real)
    (name,) = PENDING[real.datastore]
    answer = real.call("instance.configure", instance="main", settings=PENDING[real.datastore])
    assert answer["restart_needed"] == [name]
    (last,) = real.call("job.list", limit=1)["jobs"]
    steps = real.call("job.show", job=last["job"])["steps"]
    assert steps[1]["what"] == f"in force after a restart: {name}"
    check = real.call("instance.check_upgrade", instance="main", version=real.new)
    warnings = [row for row in check["findings"] if row["reason"] == "restart_pending"]
    assert len(warnings) == 1 and warnings[0]["severity"] == "warning"
    assert name in warnings[0]["message"] and check["settings_pending"] == [name]
    job = real.submit("instance.upgrade", instance="main", version=real.new)
    assert real.outcome(job, 60) == "ok", real.job(job)["error"]
    assert real.job(job)["result"]["settings_applied"] == [name]
    assert real.call("instance.show", instance="main")["status"] == "ACTIVE"


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_an_engine_that_cannot_have_its_port_has_not_started(real, address):
    begin(real)
    real.call("instance.stop", instance="main")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            taker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taker.bind((address, real.port + 1))
        taker.listen()
        with pytest.raises(Refused) as refused:
            real.call("instance.start", instance="main")
        error = refused.value.error
        assert refused.value.reason == "engine"
        assert f"port {real.port + 1} is taken on IPv{6 if ':' in address else 4}" \
            in error["message"] and f"process {os.getpid()}" in error["message"]
        wait_for(lambda: not real.processes(engines=True), 10, "none that only some reach")
    real.call("instance.start", instance="main")
    real.serving()


def test_a_failed_start_quotes_its_own_lines_only(real):
    begin(real)
    log = real.state / "instances/main/log/engine.log"
    with open(log, "a") as text:
        text.write("a line of long ago\n")
    real.call("instance.stop", instance="main")
    with open(log, "a") as text:
        text.write("a line of the one before\n")
    conf = next((real.state / "instances/main/current/conf").glob(
        {"postgresql": "postgresql.conf", "mariadb": "my.cnf", "redis": "redis.conf"}
        [real.datastore]))
    kept = conf.read_bytes()
    with open(conf, "a") as text:
        text.write({"mariadb": "\n[mysqld]\nno_such_word=1\n"}.get(real.datastore,
                                                                  "no_such_word 1\n"))
    try:
        with pytest.raises(Refused) as refused:
            real.call("instance.start", instance="main")
    finally:
        conf.write_bytes(kept)
    native = refused.value.data["native"]
    assert "no_such_word" in native, native
    assert "a line of" not in native
    real.call("instance.start", instance="main")
    real.serving()


def ended(ground, job):
    """The job's outcome, whatever it is, and its error."""
    return ground.outcome(job, 60), ground.job(job).get("error")


SLOW = {  # what makes CREATE USER wait, and what shows that it does
    "postgresql": ("BEGIN; LOCK TABLE pg_authid IN SHARE MODE",
                   "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                   " AND application_name LIKE 'dbguest j%'"),
    "mariadb": ("FLUSH TABLES WITH READ LOCK",
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting %'"),
}


@pytest.mark.parametrize("real", sorted(SLOW), indirect=True)
def test_c10_what_a_dead_worker_left_in_the_engine_is_ended_before_it_is_judged(real):
    begin(real)
    lock, waiting = SLOW[real.datastore]
    holder = AGENTS[real.datastore](real)
    with holder.cursor() as cursor:
        cursor.execute(lock)
    job = real.submit("user.create", instance="main", users=[{"name": "late",
                                                              "password": "late-pass-1"}])
    wait_for(lambda: ask(real, waiting) == 1, 10, "the statement to wait")
    pid = json.loads((real.state / "jobs/open" / job / "pid").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    outcome, error = ended(real, job)
    assert outcome == "interrupted", error
    assert ask(real, waiting) == 0, "it does not go on after its client"
    holder.close()
    time.sleep(0.5)  # what still waited would be through by now
    users = real.call("user.list", instance="main")["users"]
    assert "late" not in [user["name"] for user in users]


@pytest.mark.parametrize("name, record, outcome", [
    ("late", '"present"', "interrupted"),  # nothing was done yet
    ("late", '{"commit"', "ok"),  # done, and nobody said so
    ("anna", '"present"', "interrupted"),  # there before: not this job's work
])
def test_c11_recovery_says_done_or_not_done_without_a_secret(real, name, record, outcome):
    begin(real)
    when = "after" if record == '"present"' else "before"
    real.rule((when, "stop", record))
    job = real.submit("user.create", instance="main", users=[{"name": name,
                                                              "password": "late-pass-1"}])
    worker = real.await_rules(job, stop=True)
    folder = real.state / "jobs/open" / job
    before = [] if name == "late" else [name]
    journal = (folder / "journal").read_text(errors="replace")
    assert f'"present":{json.dumps(before)}' in journal.replace(" ", "")
    real.kill_daemon()
    os.kill(worker, signal.SIGKILL)
    assert not [path for path in folder.iterdir() if b"late-pass-1" in path.read_bytes()]
    for path in (real.run_dir / "secrets").iterdir():
        path.unlink()
    real.up()
    assert ended(real, job)[0] == outcome
    users = [user["name"] for user in real.call("user.list", instance="main")["users"]]
    assert sorted(users) == sorted({"anna"} | ({name} if outcome == "ok" else set()))
    assert real.serving()


@pytest.mark.parametrize("real", ["postgresql", "mariadb"], indirect=True)
def test_c15_what_lies_outside_is_refused(real):
    begin(real)
    files = real.state / "instances/main/current/data/files"
    if real.datastore == "postgresql":
        # a folder that the engine sees, in its sockets'
        folder = real.run_dir / "main/away"
        folder.mkdir(mode=0o700)
        os.chown(folder, *(2 * [(files / "PG_VERSION").stat().st_uid]))
        ask(real, "CREATE TABLESPACE away LOCATION '/run/dbguest/away'")
    else:
        # MariaDB itself ignores DATA DIRECTORY as it is configured here
        ask(real, "CREATE TABLE shop.here (a INT) DATA DIRECTORY '/tmp'")
        assert not list(files.glob("shop/*.isl"))
        (files / "shop/away.isl").symlink_to("/tmp/away.ibd")
    check = real.call("instance.check_upgrade", instance="main", version=real.new)
    assert [row["severity"] for row in check["findings"]
            if row["reason"] in ("tablespaces_unsupported", "outside")] == ["blocker"]
    outcome, _ = ended(real, real.submit("instance.upgrade", instance="main", version=real.new))
    assert outcome == "blocked"
    outcome, error = ended(real, real.submit("backup.create", instance="main", backup="outside"))
    assert outcome == "unsupported", error
    assert "away" in error["message"]
    assert real.look()["backups"] == ["good"]


@pytest.mark.parametrize("real", ["mariadb"], indirect=True)
def test_c19_events_of_the_server_wait_while_it_is_closed(real):
    begin(real)
    real.call("instance.configure", instance="main", settings={"event_scheduler": "ON"})
    ask(real, "CREATE TABLE shop.ticks (at TIMESTAMP(6) DEFAULT NOW(6))")
    ask(real, "CREATE EVENT shop.tick ON SCHEDULE EVERY 1 SECOND DO INSERT INTO shop.ticks"
              " VALUES (NOW(6))")
    count = "SELECT COUNT(*) FROM shop.ticks"
    wait_for(lambda: ask(real, count) > 0, 10, "the first event")
    job, worker = pause(real, "instance.upgrade", '{"begin":"prove"', version=real.new)
    seen = ask(real, count)
    time.sleep(2.5)
    assert ask(real, count) == seen, "an event wrote behind the gate"
    os.kill(worker, signal.SIGCONT)
    assert real.outcome(job, 60) == "needs_attention", "this test's own questions were counted"
    real.call("instance.recover", instance="main")
    real.serving()
    seen = ask(real, count)
    wait_for(lambda: ask(real, count) > seen, 10, "events once it is open again")


def drained(publisher, seconds):
    """How often somebody came within that time."""
    ends, count = time.monotonic() + seconds, 0
    while (left := ends - time.monotonic()) > 0:
        publisher.settimeout(left)
        with contextlib.suppress(TimeoutError):
            publisher.accept()[0].close()
            count += 1
    return count


@pytest.mark.parametrize("real", ["mariadb"], indirect=True)
def test_c19_threads_of_a_replica_are_off_while_it_is_closed(real):
    begin(real)
    with socket.socket() as publisher:
        publisher.bind(("127.0.0.1", 0))
        publisher.listen()
        ask(real, "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'x', MASTER_PORT ="
                  f" {publisher.getsockname()[1]}, MASTER_CONNECT_RETRY = 1")
        ask(real, "START SLAVE")
        assert drained(publisher, 4) > 1, "it follows while it serves"
        job, worker = pause(real, "instance.upgrade", '{"begin":"prove"', version=real.new)
        drained(publisher, 0.5)
        assert drained(publisher, 3) == 0, "it follows behind the gate"
        os.kill(worker, signal.SIGCONT)
        outcome, error = ended(real, job)
        assert outcome == "ok", error


@pytest.mark.parametrize("real", ["postgresql"], indirect=True)
def test_c19_a_copy_that_is_verified_subscribes_to_nobody(real):
    begin(real)
    connection = agent_postgresql(real, "shop")
    with connection.cursor() as cursor, socket.socket() as publisher:
        publisher.bind(("127.0.0.1", 0))
        publisher.listen()
        cursor.execute("CREATE SUBSCRIPTION follows CONNECTION 'host=127.0.0.1 dbname=x user=x "
                       f"port={publisher.getsockname()[1]}' PUBLICATION p WITH (connect = false)")
        check = real.call("instance.check_upgrade", instance="main", version=real.new)
        assert "subscriptions_unsupported" in [row["reason"] for row in check["findings"]]
        cursor.execute("ALTER SUBSCRIPTION follows ENABLE")
        publisher.settimeout(20)
        publisher.accept()[0].close()  # the serving one does follow
        real.call("backup.create", instance="main", backup="following")
        cursor.execute("ALTER SUBSCRIPTION follows DISABLE")
        time.sleep(1)
        publisher.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                publisher.accept()[0].close()
        real.call("backup.verify", backup="following")
        publisher.settimeout(1)
        with pytest.raises(TimeoutError):
            publisher.accept()
    connection.close()


@pytest.mark.parametrize("real", ["redis"], indirect=True)
def test_c19_keys_may_expire_while_it_is_closed_and_no_others_go(real):
    begin(real)
    client = real.shop.connect()
    pipeline = client.pipeline()
    for number in range(100):
        pipeline.set(f"fleeting:{number}", "here", ex=4)
        pipeline.set(f"lasting:{number}", "here")
    pipeline.execute()
    client.close()
    job, worker = pause(real, "instance.upgrade", '{"begin":"prove"', version=real.new)
    time.sleep(5)
    os.kill(worker, signal.SIGCONT)
    outcome, error = ended(real, job)
    assert outcome == "ok", error
    client = real.serving().shop.connect()
    assert sum(client.exists(f"lasting:{number}") for number in range(100)) == 100
    assert sum(client.exists(f"fleeting:{number}") for number in range(100)) == 0
    client.close()


@pytest.mark.parametrize("real", ["redis"], indirect=True)
def test_c20_what_lives_only_in_memory_survives_an_upgrade(real):
    begin(real)
    ask(real, "ACL SETUSER fleeting on >fleeting-pass-1 ~fleeting:* +@all")
    ask(real, "CONFIG SET slowlog-max-len 77")
    ask(real, "CONFIG SET maxmemory-policy allkeys-lru")
    outcome, error = ended(real, real.submit("instance.upgrade", instance="main", version=real.new))
    assert outcome == "ok", error
    client = redis.Redis(port=real.port + 1, username="fleeting", password="fleeting-pass-1")
    assert client.set("fleeting:1", "here")
    client.close()
    assert b"77" in ask(real, "CONFIG GET slowlog-max-len")
    assert b"allkeys-lru" in ask(real, "CONFIG GET maxmemory-policy")


@pytest.mark.parametrize("real", ["mariadb"], indirect=True)
def test_c20_what_is_set_in_memory_only_is_told_before_an_upgrade_ends_it(real):
    begin(real)
    real.call("instance.configure", instance="main", settings={"max_connections": 120})
    real.call("instance.configure", instance="main", settings={"table_open_cache": None})

    def told():
        check = real.call("instance.check_upgrade", instance="main", version=real.new)
        return [row["message"] for row in check["findings"] if row["reason"] == "setting_changed"]
    assert not told(), "as configured, whoever set it"
    usual = ask(real, "SELECT @@long_query_time")
    ask(real, "SET GLOBAL long_query_time = 77")
    ask(real, "SET GLOBAL sql_mode = 'ANSI'")
    ask(real, "SET GLOBAL sql_mode = DEFAULT")
    assert [message.split("'")[1] for message in told()] == ["long_query_time"], told()
    outcome, error = ended(real, real.submit("instance.upgrade", instance="main", version=real.new))
    assert outcome == "ok", error
    assert ask(real, "SELECT @@GLOBAL.long_query_time") == usual
    assert ask(real, "SELECT @@GLOBAL.max_connections") == 120
