"""One operation, and a thousand users in one call: goals 8 and 9."""
import json
import subprocess
import time

from ground import DATASTORES, NAMES, PASSWORD, SHOPS, median, program

COUNT = 1000
MORE_MS = 1.5  # than a process that connects and asks
END_TO_END_MS = {"postgresql": 8.0, "mariadb": 3.5, "redis": 2.0}
BATCH = 1.15
WORKER_START_MS = {"postgresql": 8, "mariadb": 4, "redis": 3}


def client(ground, datastore, instance, verb, *arguments):
    name, target, environment = ground.agent(datastore, instance)
    done = subprocess.run([program(name), verb, *target, *arguments], env=environment, check=True,
                          capture_output=True, text=True)
    return done.stdout


def batch(datastore):
    users = [{"name": f"batch{i:04d}", "password": f"{PASSWORD}-{i}"} for i in range(COUNT)]
    if SHOPS[datastore].database is None:
        users = [{**user, "access": "all"} for user in users]
    return users


def measure_list(ground, table, datastore, instance):
    """The process and the request take turns; both print as many names as lines of JSON."""
    name, target, environment = ground.agent(datastore, instance)
    request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "user.list",
                          "params": {"instance": instance, "limit": COUNT}})
    done = subprocess.run(
        [program("turns"), ground.socket, request, "50" if ground.quick else "300", program(name),
         "list", *target], env=environment, check=True, capture_output=True, text=True)
    bare, ours = ([float(word) for word in line.split()] for line in done.stdout.splitlines())
    more = ours[0] - bare[0]
    label = f"{NAMES[datastore]}: user.list of {COUNT}"
    table.add(label, f"bare process + {MORE_MS} ms",
              f"{ours[0]:.1f} ms, process {bare[0]:.1f} ms: +{more:.1f} ms", more <= MORE_MS)
    table.add(label + ", end to end", f"<= {END_TO_END_MS[datastore]} ms, p99 <= 2 x p50",
              f"p50 {ours[0]:.1f}, p99 {ours[1]:.1f} ms",
              ours[0] <= END_TO_END_MS[datastore] and ours[1] <= 2 * ours[0])


def measure_batch(ground, table, datastore, instance):
    """Raw: ready verifiers on one open connection. Ours: from passwords, worker and all."""
    raw, ours = [], []
    for _ in range(1 if ground.quick else 3):
        raw.append(float(client(ground, datastore, instance, "create", str(COUNT))))
        client(ground, datastore, instance, "drop", str(COUNT))
        began = time.monotonic()
        ground.call("user.create", instance=instance, users=batch(datastore))
        ours.append((time.monotonic() - began) * 1e3)
        ground.call("user.drop", instance=instance,
                    users=[{"name": user["name"]} for user in batch(datastore)])
    least, took = median(raw), median(ours)
    start = WORKER_START_MS[datastore]
    table.add(f"{NAMES[datastore]}: user.create of {COUNT} in one call",
              f"<= {BATCH} x raw + a worker's start ({start} ms)",
              f"{took:.0f} ms, raw {least:.0f} ms: {(took - start) / least:.2f} x",
              took - start <= BATCH * least)


def measure(ground, table):
    for datastore in DATASTORES:
        instance = ground.create(datastore)
        measure_batch(ground, table, datastore, instance)
        ground.call("user.create", instance=instance, users=batch(datastore)[:COUNT - 1])
        measure_list(ground, table, datastore, instance)
        ground.delete(instance)
