"""What all parts of the bench stand on: a daemon with instances, the C clients, the table.

Every figure is a ratio, or a difference, of two things that took turns in one run: seconds of one
machine say nothing on another. Nothing here is asserted; the table says what is met and what is not.
"""
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from daemon import Daemon, build_folder  # noqa: E402
from shop import PASSWORD, SHOPS  # noqa: E402

CACHE = pathlib.Path(os.environ.get("DBGUEST_TEST_CACHE", "/var/cache/dbguest"))
DATASTORES = ("postgresql", "mariadb", "redis")
# Not the shop's own, so that a test may run beside.
PORTS = {"postgresql": 27432, "mariadb": 27306, "redis": 27379}
NAMES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "redis": "Redis"}
# A row of 1,000 bytes, three times as large as what zstd makes of it.
SUMS = 16
FILLER = "islet jetty kiosk lemon maple " * 14

median = statistics.median


def program(name):
    return build_folder() / "tests/bench" / f"bench-{name}"


def say(text):
    """To whoever waits; the table is for stdout."""
    print(f"  {text}", file=sys.stderr, flush=True)


class Table:
    """Rows of goal, figure and verdict, as Markdown."""

    def __init__(self):
        self.rows = []

    def add(self, what, goal, figure, met):
        """met: True, False, or None for a figure that has no goal."""
        verdict = "" if met is None else "met" if met else "**missed**"
        self.rows.append((what, goal, figure, verdict))
        say(f"{what} | {goal} | {figure} | {verdict}")

    def markdown(self):
        lines = ["| what | goal | figure | verdict |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join(lines)


class Client:
    """A bench client that writes or works until the block ends; then told is what it printed."""

    def __init__(self, target, verb):
        datastore, arguments, environment = target
        self.told = None
        self.process = subprocess.Popen(
            [program(datastore), verb, *arguments], env={**os.environ, **environment},
            stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.told = [float(word) for word in self.process.communicate(timeout=60)[0].split()]


class Ground(Daemon):
    """A daemon on the versions that tests/lib/trees has pulled."""

    def __init__(self, quick):
        super().__init__(versions=CACHE / "versions")
        self.quick = quick
        self.pulled = json.loads((CACHE / "pulled.json").read_text())

    def create(self, datastore, which="new", instance=None, **more):
        """An instance with a database and its user; its name."""
        shop = SHOPS[datastore]()
        user = {"name": "anna", "password": PASSWORD, "access": "all"}
        if shop.database:
            user["databases"] = [shop.database]
            more["databases"] = [{"name": shop.database}]
        self.call("instance.create", instance=instance or datastore, datastore=datastore,
                  version=self.pulled[f"{datastore} {which}"], port=PORTS[datastore],
                  users=[user], **more)
        if datastore == "postgresql":
            self.run_sql(datastore, "CREATE TABLE IF NOT EXISTS pulse (id bigserial PRIMARY KEY)")
        if datastore == "mariadb":
            self.run_sql(datastore, "CREATE TABLE IF NOT EXISTS pulse "
                                    "(id BIGINT AUTO_INCREMENT PRIMARY KEY)")
        return instance or datastore

    def delete(self, instance):
        self.call("instance.delete", instance=instance, confirm=instance)

    def connect_as_tenant(self, datastore):
        return SHOPS[datastore](port=PORTS[datastore]).connect()

    def run_sql(self, datastore, *statements):
        connection = self.connect_as_tenant(datastore)
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        connection.close()

    def fill(self, datastore, megabytes):
        """A table of wide rows, or as many keys, that compress as real data do."""
        rows = megabytes * 1000
        if datastore == "redis":
            self._fill_redis(rows)
            return
        number, source = (("i", f"generate_series(1, {rows}) i") if datastore == "postgresql"
                          else ("seq", f"seq_1_to_{rows}"))
        sums = ", ".join(f"md5(concat({number}, '{k}'))" for k in range(SUMS))
        self.run_sql(
            datastore, "DROP TABLE IF EXISTS bench",
            "CREATE TABLE bench (id INT PRIMARY KEY, n INT NOT NULL DEFAULT 0, t TEXT)",
            f"INSERT INTO bench SELECT {number}, 0, concat({sums}, '{FILLER}') FROM {source}")

    def _fill_redis(self, rows):
        connection = self.connect_as_tenant("redis")
        for start in range(0, rows, 2000):
            pipe = connection.pipeline(transaction=False)
            for i in range(start, min(start + 2000, rows)):
                pipe.set(f"bench:{i}", os.urandom(16 * SUMS).hex() + FILLER)
            pipe.execute()
        connection.close()

    def tenant(self, datastore):
        """Where and as whom a client of the tenant connects."""
        database = SHOPS[datastore].database or "-"
        return (datastore, ["127.0.0.1", str(PORTS[datastore]), "anna", database],
                {"BENCH_PASSWORD": PASSWORD})

    def agent(self, datastore, instance):
        """The same for the worker's own way in."""
        sockets = self.run / instance
        if datastore == "postgresql":
            return (datastore, [str(sockets), str(PORTS[datastore]), "postgres", "postgres"], {})
        if datastore == "mariadb":
            return (datastore, [str(sockets / "mysql.sock"), "0", "root", "-"], {})
        secret = (self.state / "instances" / instance / "agent.secret").read_text()
        return (datastore, [str(sockets / "redis.sock"), "0", "dbguest", "-"],
                {"BENCH_PASSWORD": secret})

    def folder_of(self, instance):
        return self.state / "instances" / instance

    def cycle(self, instance, signal_number=None):
        """Signal, end, direct start of the same tree: nobody can restart faster. The stop's ms."""
        folder = self.folder_of(instance)
        launch = json.loads((folder / "current" / "launch.json").read_text())
        return float(subprocess.run(
            [program("cycle"), str(self.engine(instance)),
             str(signal_number or launch["stop_signal"]), self.libexec / "dbguest-launch", folder],
            check=True, capture_output=True, text=True).stdout)

    def await_service(self, datastore, timeout=120):
        ends = time.monotonic() + timeout
        while True:
            try:
                connection = self.connect_as_tenant(datastore)
                if datastore == "redis":
                    connection.ping()
                connection.close()
                return
            except Exception:  # whatever a client library makes of a closed door
                assert time.monotonic() < ends, "the engine does not come back"
                time.sleep(0.01)

    def gap(self, datastore, act):
        """How long a client could not write (ms) while act() ran; what act() returned."""
        with Client(self.tenant(datastore), "write") as probe:
            time.sleep(0.3)
            result = act()
            self.await_service(datastore)
            time.sleep(0.3)
        longest_ms, _, _, writes, failures = probe.told
        say(f"    gap {longest_ms:.0f} ms, {writes:.0f} writes, {failures:.0f} failures")
        return longest_ms, result
