"""How long a writing client is without the engine: goal 7."""
import contextlib

import redis

from ground import DATASTORES, NAMES, Client, median, say

ALLOWED_MS = 50  # more than the floor
DIRTY_MB = 200
WORKERS = 2


def restart(ground, instance):
    return lambda: ground.call("instance.restart", instance=instance)


def floor(ground, instance):
    return lambda: ground.cycle(instance)


def compare(ground, datastore, ours, other, rounds, before=None):
    """Medians of both gaps (ms), which take turns."""
    gaps = ([], [])
    for _ in range(rounds):
        for side, act in enumerate((ours, other)):
            if before:
                before()
            gaps[side].append(ground.gap(datastore, act)[0])
    return tuple(median(side) for side in gaps)


def measure_idle(ground, table, rounds):
    for datastore in DATASTORES:
        instance = ground.create(datastore)
        ours, least = compare(ground, datastore, restart(ground, instance),
                              floor(ground, instance), rounds)
        table.add(f"{NAMES[datastore]}: restart, idle", f"floor + {ALLOWED_MS} ms",
                  f"{ours:.0f} ms, floor {least:.0f} ms: {ours - least:+.0f} ms",
                  ours - least <= ALLOWED_MS)
        ground.delete(instance)


def measure_upgrade(ground, table, rounds):
    """The floor is a restart of the old version right before: the way back would be refused."""
    for datastore in DATASTORES:
        gaps, floors = [], []
        for _ in range(rounds):
            instance = ground.create(datastore, "old")
            # What was just made is written down by the first stop: it is nobody's outage here.
            ground.call("instance.restart", instance=instance)
            floors.append(ground.gap(datastore, floor(ground, instance))[0])
            gap, _ = ground.gap(datastore, lambda: ground.call(
                "instance.upgrade", instance=instance,
                version=ground.pulled[f"{datastore} new"]))
            gaps.append(gap)
            tell_steps(ground, instance)
            ground.delete(instance)
        ours, least = median(gaps), median(floors)
        table.add(f"{NAMES[datastore]}: upgrade, same format", f"floor + {ALLOWED_MS} ms",
                  f"{ours:.0f} ms, floor {least:.0f} ms: {ours - least:+.0f} ms",
                  ours - least <= ALLOWED_MS)


def tell_steps(ground, instance):
    """Where the time went, for whoever looks for the cause of a figure."""
    jobs = ground.call("job.list", instance=instance, limit=1)["jobs"]
    job = ground.call("job.show", job=jobs[0]["job"])
    say("    " + ", ".join(f"{step['step']} {step['took_s'] * 1e3:.0f}" for step in job["steps"]))


def make_dirty(ground, datastore):
    """Nearly all pages of the table are changed in memory and not yet on the disk."""
    def change():
        ground.run_sql(datastore, "UPDATE bench SET n = n + 1 WHERE id % 4 = 0")
    return change


def measure_loaded(ground, table, rounds):
    """While clients write, with much that a stop has to put on the disk."""
    megabytes = 50 if ground.quick else DIRTY_MB
    for datastore, limit, more in (("postgresql", 0.4, {"shared_buffers": "512MB",
                                                        "max_wal_size": "4GB"}),
                                   ("mariadb", 1.15, {"innodb_buffer_pool_size": 512 << 20})):
        instance = ground.create(datastore, settings=more)
        ground.fill(datastore, megabytes)
        with contextlib.ExitStack() as workers:
            for _ in range(WORKERS):
                workers.enter_context(Client(ground.tenant(datastore), "work"))
            ours, plain = compare(ground, datastore, restart(ground, instance),
                                  floor(ground, instance), rounds,
                                  make_dirty(ground, datastore))
        table.add(f"{NAMES[datastore]}: restart, {megabytes} MB dirty under load",
                  f"<= {limit} x signal + start",
                  f"{ours:.0f} ms, {plain:.0f} ms: {ours / plain:.2f} x", ours / plain <= limit)
        ground.delete(instance)


def shutdown_save(ground, instance):
    """What an operator types: SHUTDOWN SAVE with the engine's own defaults, and a start."""
    def act():
        secret = (ground.folder_of(instance) / "agent.secret").read_text()
        with redis.Redis(unix_socket_path=str(ground.run / instance / "redis.sock"),
                         username="dbguest", password=secret) as connection:
            connection.config_set("save", "3600 1")
            connection.config_set("rdbcompression", "yes")
        ground.cycle(instance)
    return act


def measure_redis(ground, table, rounds):
    """With an append-only file, as instances are made, and without."""
    megabytes = 60 if ground.quick else 400
    gaps = {}
    for name, more in (("append-only file", {}), ("without", {"appendonly": "no"}),
                       ("SHUTDOWN SAVE", {"appendonly": "no"})):
        instance = ground.create("redis", settings=more)
        ground.fill("redis", megabytes)
        gaps[name] = []
        for _ in range(rounds):
            act = restart(ground, instance)
            if name == "SHUTDOWN SAVE":
                act = shutdown_save(ground, instance)
            gaps[name].append(ground.gap("redis", act)[0])
            if name != "SHUTDOWN SAVE":
                tell_steps(ground, instance)
        ground.delete(instance)
    least = median(gaps.pop("SHUTDOWN SAVE"))
    for name, took in gaps.items():
        ours = median(took)
        table.add(f"Redis: restart, {megabytes} MB, {name}", "<= 0.55 x SHUTDOWN SAVE + start",
                  f"{ours:.0f} ms, {least:.0f} ms: {ours / least:.2f} x", ours / least <= 0.55)


def measure(ground, table):
    rounds = 1 if ground.quick else 3
    measure_idle(ground, table, 3 if ground.quick else 9)
    measure_upgrade(ground, table, rounds)
    measure_loaded(ground, table, rounds)
    measure_redis(ground, table, rounds)
