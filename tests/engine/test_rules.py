"""The rules that only a real engine can break, each by its name."""
import os
import pathlib
import signal
import sys

import psycopg2
import pymysql
import pytest
import redis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))
from ground import wait_for  # noqa: E402
from test_kill_real import Real, begin  # noqa: E402
from shop import Prober  # noqa: E402


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
