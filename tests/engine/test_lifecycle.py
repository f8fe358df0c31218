"""Create, look, stop, start, restart, configure, delete: the same story for every engine."""
import os
import signal
import time

import pytest
from conftest import create
from daemon import Failure
from shop import Prober

SETTING = {"postgresql": ("work_mem", "8MB"), "mariadb": ("max_allowed_packet", 33554432),
           "mysql": ("max_allowed_packet", 33554432), "redis": ("maxmemory-policy", "allkeys-lru"),
           "valkey": ("maxmemory-policy", "allkeys-lru")}
NEEDS_RESTART = {"postgresql": ("max_connections", 150), "mariadb": ("performance_schema", "ON"),
                 "mysql": ("back_log", 100)}
REFUSED = {"postgresql": ("max_connections", 900000), "mariadb": ("max_connections", "many"),
           "mysql": ("max_connections", "many"), "redis": ("maxclients", "many"),
           "valkey": ("maxclients", "many")}
OURS = {"postgresql": "port", "mariadb": "port", "mysql": "port", "redis": "port", "valkey": "port"}


def row(daemon, instance):
    return daemon.call("instance.show", instance=instance)


def test_a_new_instance_serves(daemon, instance, shop, old):
    shown = row(daemon, instance)
    assert shown["status"] == "ACTIVE"
    assert shown["version"] == old
    assert shown["port"] == shop.port
    assert shown["wanted"] == "running"
    assert shown["size_bytes"] > 0
    assert shop.count() > 1000


def test_transactions_and_scripts_survive_a_restart(daemon, instance, datastore, shop):
    if datastore not in ("redis", "valkey"):
        pytest.skip("Redis and Valkey only: they play their file again as a user without rights")
    client = shop.connect()
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set("of:transaction", "1").rpush("list:of:transaction", "a", "b").execute()
    client.eval("redis.call('SET', KEYS[1], 'a'); redis.call('SET', KEYS[2], 'b')", 2,
                "of:script:1", "of:script:2")
    client.set("of:command", "1")
    client.close()
    daemon.call("instance.restart", instance=instance)
    client = shop.connect()
    names = ["of:transaction", "list:of:transaction", "of:script:1", "of:script:2", "of:command"]
    assert [name for name in names if not client.exists(name)] == []
    client.delete(*names)
    client.close()


def test_list_shows_it_once(daemon, instance):
    names = [found["instance"] for found in daemon.call("instance.list")["instances"]]
    assert names.count(instance) == 1


def test_name_and_port_are_taken(daemon, instance, shop, old):
    with pytest.raises(Failure) as failure:
        create(daemon, shop, old)
    assert failure.value.reason == "exists"
    with pytest.raises(Failure) as failure:
        create(daemon, shop, old, instance="another")
    assert failure.value.reason == "exists"
    assert str(shop.port) in failure.value.error["message"]
    assert "--port" in failure.value.data["hint"]


def test_a_version_that_is_not_there(daemon, datastore):
    with pytest.raises(Failure) as failure:
        daemon.call("instance.create", instance="none", datastore=datastore, version="0.1")
    assert failure.value.reason == "not_found"


def test_stop_stays_stopped_over_a_restart_of_the_daemon(daemon, instance, shop):
    daemon.call("instance.stop", instance=instance)
    assert row(daemon, instance)["status"] == "SHUTDOWN"
    daemon.restart()
    time.sleep(0.3)
    assert row(daemon, instance)["status"] == "SHUTDOWN"
    daemon.call("instance.start", instance=instance)
    assert row(daemon, instance)["status"] == "ACTIVE"
    assert shop.count() > 1000


def test_starting_what_runs_and_stopping_what_stands_succeeds(daemon, instance):
    before = daemon.engine(instance)
    assert daemon.call("instance.start", instance=instance)["status"] == "ACTIVE"
    assert daemon.engine(instance) == before
    daemon.call("instance.stop", instance=instance)
    assert daemon.call("instance.stop", instance=instance)["status"] == "SHUTDOWN"
    daemon.call("instance.start", instance=instance)


def test_restart_loses_nothing_acknowledged(daemon, instance, shop):
    before = daemon.engine(instance)
    with Prober(shop) as prober:
        time.sleep(0.2)
        answer = daemon.call("instance.restart", instance=instance)
        time.sleep(0.2)
    assert daemon.engine(instance) != before
    assert answer["outage_s"] > 0
    assert len(prober.acknowledged) > 10


def test_a_killed_engine_is_started_again(daemon, instance, shop):
    before = daemon.engine(instance)
    os.kill(before, signal.SIGKILL)
    ends = time.monotonic() + 20
    while daemon.engine(instance) in (None, before) or row(daemon, instance)["status"] != "ACTIVE":
        assert time.monotonic() < ends, row(daemon, instance)
        time.sleep(0.05)
    assert shop.count() > 1000


def test_the_daemon_comes_and_goes_unnoticed(daemon, instance, shop):
    engine = daemon.engine(instance)
    with Prober(shop) as prober:
        time.sleep(0.2)
        daemon.restart(signal.SIGKILL)
        daemon.restart()
        time.sleep(0.2)
    assert prober.failures == 0
    assert daemon.engine(instance) == engine


def test_a_setting_is_applied_and_taken_back(daemon, instance, datastore):
    name, value = SETTING[datastore]
    answer = daemon.call("instance.configure", instance=instance, settings={name: value})
    assert answer["settings"][name] == value
    assert answer["restart_needed"] == []
    answer = daemon.call("instance.configure", instance=instance, settings={name: None})
    assert name not in answer["settings"]


def test_a_setting_that_waits_for_a_restart_is_seen(daemon, instance, datastore):
    if datastore not in NEEDS_RESTART:
        pytest.skip(f"{datastore} applies its settings at once")
    name, value = NEEDS_RESTART[datastore]
    answer = daemon.call("instance.configure", instance=instance, settings={name: value})
    assert answer["restart_needed"] == [name]
    shown = row(daemon, instance)
    assert shown["status"] == "RESTART_REQUIRED"
    assert "restart" in shown["attention"][0]["hint"]
    daemon.call("instance.restart", instance=instance)
    assert row(daemon, instance)["status"] == "ACTIVE"


def test_what_the_engine_does_not_like_changes_nothing(daemon, instance, datastore):
    name, value = REFUSED[datastore]
    before = row(daemon, instance)["settings"]
    with pytest.raises(Failure) as failure:
        daemon.call("instance.configure", instance=instance, settings={name: value})
    assert failure.value.reason in ("engine", "invalid")
    assert name in failure.value.data["native"] or str(value) in failure.value.data["native"]
    assert row(daemon, instance)["settings"] == before
    assert row(daemon, instance)["status"] == "ACTIVE"


def test_settings_of_ours_are_refused(daemon, instance, datastore):
    with pytest.raises(Failure) as failure:
        daemon.call("instance.configure", instance=instance, settings={OURS[datastore]: 1})
    assert failure.value.reason == "invalid"


def test_a_value_cannot_break_out_of_its_line(daemon, instance, datastore):
    name, _ = SETTING[datastore]
    with pytest.raises(Failure):
        daemon.call("instance.configure", instance=instance,
                    settings={name: "1\nport = 1\n"})
    assert row(daemon, instance)["status"] == "ACTIVE"


def test_refused_settings_leave_nothing_half_made(daemon, datastore, old):
    name, value = REFUSED[datastore]
    with pytest.raises(Failure) as failure:
        daemon.call("instance.create", instance="half", datastore=datastore, version=old,
                    settings={name: value})
    assert failure.value.reason in ("engine", "invalid")
    assert not (daemon.state / "instances" / "half").exists()
    with pytest.raises(Failure) as failure:
        row(daemon, "half")
    assert failure.value.reason == "not_found"


def test_log_shows_what_the_engine_wrote(daemon, instance):
    lines = daemon.call("instance.log", instance=instance, lines=5)["lines"]
    assert 0 < len(lines) <= 5


def test_immediate_stop_is_recovered_from(daemon, instance, shop):
    count = shop.count()
    daemon.call("instance.stop", instance=instance, mode="immediate")
    daemon.call("instance.start", instance=instance)
    assert shop.count() == count


def test_delete_wants_the_name_again_and_leaves_nothing(daemon, shop, old):
    create(daemon, shop, old, instance="gone", port=shop.port + 40)
    with pytest.raises(Failure) as failure:
        daemon.call("instance.delete", instance="gone", confirm="other")
    assert failure.value.reason == "invalid"
    answer = daemon.call("instance.delete", instance="gone", confirm="gone")
    assert answer["freed_bytes"] > 0
    assert not list((daemon.state / "instances").glob("*gone*"))
    assert not (daemon.run / "gone").exists()


def test_a_stop_does_not_wait_for_the_engine_to_look_for_signals(daemon, instance, datastore):
    if datastore not in ("redis", "valkey"):
        pytest.skip("the engine notices a signal at once")
    daemon.call("instance.configure", instance=instance, settings={"hz": 1, "dynamic-hz": "no"})
    daemon.call("instance.restart", instance=instance)
    took = []
    for _ in range(4):
        took.append(daemon.call("instance.stop", instance=instance)["took_s"])
        daemon.call("instance.start", instance=instance)
    assert max(took) < 0.4, took  # at that rate it looks once a second
