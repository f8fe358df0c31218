"""backup.create beside the best pipeline that a person would type: goals 1 to 4, not encrypted."""
import os
import pathlib
import subprocess
import threading
import time

from ground import NAMES, PORTS, median, say

LIMIT = 1.10
SLACK_MB = 4  # a journal, a manifest, an engine's own notes
LOOK_S = 0.02
SUFFIX = {"postgresql": "tar.zst", "mariadb": "mbstream.zst", "redis": "rdb.zst"}


def pipeline(ground, datastore, instance):
    """What is typed inside the engine's own tree, and what packs it outside."""
    inside = f"nsenter -t {ground.engine(instance)} -m --"
    if datastore == "postgresql":
        tool = next((ground.versions / "postgresql" / ground.pulled["postgresql new"] / "tree")
                    .glob("usr/lib/postgresql/*/bin"))
        tool = "/" + str(tool).split("/tree/")[1]
        return (f"{inside} {tool}/pg_basebackup -h /run/dbguest -p {PORTS[datastore]} -U postgres "
                "--checkpoint=fast -Ft -X fetch --no-manifest --compress=server-zstd:level=1,workers=2 -D - | cat")
    if datastore == "mariadb":
        return (f"{inside} /usr/bin/mariadb-backup --defaults-file=/var/lib/dbguest/conf/my.cnf "
                "--backup --stream=mbstream --user=root --socket=/run/dbguest/mysql.sock "
                "--datadir=/var/lib/dbguest/data --target-dir=/tmp/backup | zstd -q -1 -T2")
    ask = f"{inside} /usr/bin/redis-cli -s /run/dbguest/redis.sock --user dbguest --no-auth-warning"
    return (f"{ask} config set rdbcompression no >/dev/null; {ask} --rdb - | zstd -q -1 -T2; "
            f"{ask} config set rdbcompression yes >/dev/null")


def type_it(ground, datastore, instance, output):
    """Seconds, the output on the disk."""
    environment = {**os.environ, **ground.agent(datastore, instance)[2]}
    environment["REDISCLI_AUTH"] = environment.pop("BENCH_PASSWORD", "")
    command = f"({pipeline(ground, datastore, instance)}) > {output}; sync -d {output}"
    began = time.monotonic()
    subprocess.run(["bash", "-o", "pipefail", "-ec", command], check=True, env=environment,
                   stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def disk_bytes(folder, but):
    total = 0
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(path, name) != str(but)]
        for name in files:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except OSError:
                continue
    return total


def descendants(roots):
    """All processes below these, by their numbers."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = list(roots)
    for pid in found:
        found += parents.get(pid, [])
    return set(found)


def unlinked_bytes(pids):
    """Of files on a disk that have no name any more."""
    total = 0
    for pid in pids:
        try:
            for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                status = fd.stat()
                if os.readlink(fd).endswith("(deleted)") and os.major(status.st_dev) != 0:
                    total += status.st_blocks * 512
        except OSError:
            continue
    return total


def measure_disk(ground, instance):
    """How many bytes there were beside the output at most, more than before."""
    roots = (ground.process.pid, ground.engine(instance))

    def used():
        return disk_bytes(ground.folder, ground.backups) + unlinked_bytes(descendants(roots))

    before, most, ended = used(), [0], threading.Event()

    def look():
        while not ended.is_set():
            most[0] = max(most[0], used() - before)
            time.sleep(LOOK_S)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        ground.call("backup.create", instance=instance)
    finally:
        ended.set()
        looker.join()
    return most[0]


def measure_one(ground, table, datastore, megabytes):
    instance = ground.create(datastore)
    ground.fill(datastore, megabytes)
    output = ground.folder / f"typed.{SUFFIX[datastore]}"
    typed, ours = [], []
    for number in range(2 if ground.quick else 5):
        typed_s = type_it(ground, datastore, instance, output)
        typed_bytes = output.stat().st_size
        output.unlink()
        began = time.monotonic()
        backup = ground.call("backup.create", instance=instance)
        ours_s = time.monotonic() - began
        ground.call("backup.delete", backup=backup["backup"], confirm=backup["backup"])
        say(f"    typed {typed_s:.2f} s, {typed_bytes >> 20} MiB; "
            f"ours {ours_s:.2f} s, {backup['size_bytes'] >> 20} MiB")
        if number > 0:  # the first reads from the disk what the others find in memory
            typed.append(typed_s)
            ours.append(ours_s)
    least, took = median(typed), median(ours)
    table.add(f"{NAMES[datastore]}: backup of {megabytes} MB", f"<= {LIMIT:.2f} x typed by hand",
              f"{took:.2f} s, {least:.2f} s: {took / least:.2f} x", took <= LIMIT * least)
    beside = measure_disk(ground, instance) / 1e6
    table.add(f"{NAMES[datastore]}: disk beside the output", f"none (<= {SLACK_MB} MB of notes)",
              f"{beside:.1f} MB", beside <= SLACK_MB)
    ground.delete(instance)


def measure(ground, table):
    for datastore, megabytes in (("postgresql", 800), ("mariadb", 600), ("redis", 400)):
        measure_one(ground, table, datastore, megabytes // 10 if ground.quick else megabytes)
