"""The daemon at rest, and how soon it is ready: goal 10."""
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from daemon import build_folder
from ground import PASSWORD, median

JOBS = 100
MIB = 1024.0


def sizes(pid):
    """RSS and PSS (MiB), threads."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) for line in rollup[1:]}
    return found["Rss"] / MIB, found["Pss"] / MIB, len(os.listdir(f"/proc/{pid}/task"))


def switches(pid):
    """How often all threads have gone to sleep, and the CPU ticks that they have used."""
    count = ticks = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        status = (thread / "status").read_text().splitlines()
        count += int(next(line.split()[1] for line in status
                          if line.startswith("voluntary_ctxt_switches")))
        fields = (thread / "stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return count, ticks


def run_jobs(ground):
    """A worker each, as cheap as a job with a journal can be."""
    instance = ground.create("redis")
    for i in range(JOBS // 2):
        ground.call("user.create", instance=instance, name=f"rest{i}", password=PASSWORD)
        ground.call("user.drop", instance=instance, name=f"rest{i}")
    return instance


def measure_memory(ground, table):
    """Of a daemon with an instance, before and after; the client that asked for all is gone."""
    pid = ground.process.pid
    before = sizes(pid)
    run_jobs(ground)
    ground.client.close()
    time.sleep(1)
    rss, pss, threads = sizes(pid)
    table.add(f"resident after {JOBS} jobs", "<= 5 MiB",
              f"{rss:.1f} MiB (fresh: {before[0]:.1f})", rss <= 5)
    table.add(f"proportional after {JOBS} jobs", "<= 2.5 MiB",
              f"{pss:.1f} MiB (fresh: {before[1]:.1f})", pss <= 2.5)
    table.add("threads", "<= 2", str(threads), threads <= 2)


def measure_quiet(ground, table):
    seconds = 20 if ground.quick else 60
    before = switches(ground.process.pid)
    time.sleep(seconds)
    after = switches(ground.process.pid)
    wakeups = (after[0] - before[0]) * 60 / seconds
    spent = (after[1] - before[1]) * 60 / seconds * 1000 / os.sysconf("SC_CLK_TCK")
    table.add("wake-ups at rest", "0 a minute", f"{wakeups:.0f} a minute", wakeups == 0)
    table.add("CPU at rest", "<= 1 ms a minute", f"{spent:.0f} ms a minute", spent <= 1)


def ready_ms(command, path):
    """From the start of a process to what it tells systemd; None when it only ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(10)
        began = time.monotonic()
        process = subprocess.Popen(command, env={"NOTIFY_SOCKET": path}, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        if command[0] != "/bin/true":
            while b"READY=1" not in listener.recv(4096):
                pass
        else:
            process.wait()
        took = (time.monotonic() - began) * 1e3
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait()
    os.unlink(path)
    return took


def measure_ready(ground, table):
    """With the folder of a daemon that has run a hundred jobs."""
    ground.stop()
    command = [build_folder() / "agent/daemon/dbguestd", "--config", ground.config]
    took, least = [], []
    with tempfile.TemporaryDirectory(prefix="dbg-ready-", dir="/tmp") as folder:
        for _ in range(5 if ground.quick else 20):
            least.append(ready_ms(["/bin/true"], f"{folder}/notify"))
            took.append(ready_ms(command, f"{folder}/notify"))
    table.add(f"ready, with {JOBS} jobs to remember", "<= 5 ms",
              f"{median(took):.1f} ms (a process that only ends: {median(least):.1f})",
              median(took) <= 5)
    ground.start()


def measure(ground, table):
    measure_memory(ground, table)
    measure_quiet(ground, table)
    measure_ready(ground, table)
