"""agent.ping beside what libuv and json-c alone can do: goal 11."""
import contextlib
import os
import subprocess
import tempfile
import threading
import time

from ground import median, program, say

PING = '{"jsonrpc":"2.0","id":1,"method":"agent.ping"}'
OURS_LEAST = 0.9
BUSY_MS = 5


@contextlib.contextmanager
def echo():
    """The peer, on a socket of its own."""
    with tempfile.TemporaryDirectory(prefix="dbg-echo-", dir="/tmp") as folder:
        path = f"{folder}/socket"
        process = subprocess.Popen([program("echo"), path])
        while not os.path.exists(path):
            time.sleep(0.01)
        try:
            yield process.pid, path
        finally:
            process.terminate()
            process.wait()


def load(path, connections, seconds, *more, cores=None):
    """Answers per second, p50, p99, p99.9 (us)."""
    pinned = ["taskset", "-c", cores] if cores else []
    done = subprocess.run([*pinned, program("load"), path, PING, str(connections), str(seconds),
                           *more], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def measure_rate(ground, table):
    """Client on one core, server on the other."""
    seconds, rounds = (0.5, 3) if ground.quick else (2, 5)
    with echo() as (pid, path):
        for server in (pid, ground.process.pid):
            os.sched_setaffinity(server, {0})
        for connections in (1, 16, 256):
            theirs, ours = [], []
            for _ in range(rounds):
                theirs.append(load(path, connections, seconds, cores="1"))
                ours.append(load(ground.socket, connections, seconds, cores="1"))
            peer, own = ([median(column) for column in zip(*side)] for side in (theirs, ours))
            table.add(f"agent.ping, {connections} connections", f">= {OURS_LEAST} x echo",
                      f"{own[0] / 1e3:.0f} of {peer[0] / 1e3:.0f} thousand/s: "
                      f"{own[0] / peer[0]:.2f} x", own[0] >= OURS_LEAST * peer[0])
            table.add(f"agent.ping, {connections} connections, time", "p99.9 <= 3 x p50",
                      f"p50 {own[1]:.0f} us, p99 {own[2]:.0f} us, p99.9 {own[3]:.0f} us (echo "
                      f"{peer[1]:.0f}, {peer[2]:.0f}, {peer[3]:.0f})", own[3] <= 3 * own[1])
    os.sched_setaffinity(ground.process.pid, range(os.cpu_count()))


def back_up_until(ground, instance, ended):
    with ground.connect() as client:
        while not ended.is_set():
            client.call("backup.create", instance=instance)


def measure_busy(ground, table):
    """One that asks now and then, while 256 ask without pause and a backup runs."""
    seconds = 3 if ground.quick else 10
    instance = ground.create("postgresql")
    ground.fill("postgresql", 50 if ground.quick else 300)
    ended = threading.Event()
    backups = threading.Thread(target=back_up_until, args=(ground, instance, ended))
    backups.start()
    with subprocess.Popen([program("load"), ground.socket, PING, "256", str(seconds + 1)],
                          stdout=subprocess.PIPE, text=True) as hammer:
        time.sleep(0.5)
        _, p50, p99, _ = load(ground.socket, 1, seconds, "500")
        say(f"    meanwhile: {hammer.communicate()[0].strip()}")
    ended.set()
    backups.join()
    table.add("agent.ping of another client, 256 hammer and a backup runs",
              f"p99 <= {BUSY_MS} ms", f"p50 {p50 / 1e3:.2f} ms, p99 {p99 / 1e3:.2f} ms",
              p99 <= BUSY_MS * 1e3)


def measure(ground, table):
    measure_rate(ground, table)
    measure_busy(ground, table)
