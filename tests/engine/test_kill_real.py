"""SIGKILL on real engines: worker, daemon, engine or all, at the steps of create, upgrade (within
a major and to the next), backup and restore, while a client writes and counts what was acknowledged.

Normally each step once, the victims taking turns, other ones from run to run.

    DBGUEST_MATRIX=all      every record, before and after, every victim
    DBGUEST_TURN            a number: who dies where; by default the hour
    DBGUEST_MATRIX_REAL     where the table is added, as Markdown
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "fault")]
from daemon import build_folder, engine_processes  # noqa: E402
from ground import Ground  # noqa: E402
from matrix import VICTIMS, Row, pattern_of  # noqa: E402
from shop import PASSWORD, SHOPS, Prober  # noqa: E402
from wait import Died, Refused, alive, kill, wait_for  # noqa: E402
import table  # noqa: E402

CACHE = pathlib.Path(os.environ.get("DBGUEST_TEST_CACHE", "/var/cache/dbguest"))
ALL = os.environ.get("DBGUEST_MATRIX") == "all"
TURN = int(os.environ.get("DBGUEST_TURN", time.time() // 3600))
TABLE = os.environ.get("DBGUEST_MATRIX_REAL")
PROGRAM = {"postgresql": "postgresql", "mariadb": "mysql", "mysql": "mysql", "redis": "redis"}
STEPS = ('{"begin":', '{"commit"', '{"opening"', '{"end"')


class Real(Ground):
    """A ground with a real engine: instance "main" with a shop in it, and a backup. Where there is
    one version only, it is the old one, and new is None."""

    def __init__(self, datastore):
        super().__init__(build_folder(), sorted(PROGRAM).index(datastore))
        self.datastore, self.versions_dir = datastore, CACHE / "versions"
        pulled = json.loads((CACHE / "pulled.json").read_text())
        versions = [pulled.get(f"{datastore} {word}") for word in ("old", "new")]
        self.old, self.new = versions if versions[0] else versions[::-1]
        self.next = pulled.get(f"{datastore} next")
        self.shop = SHOPS[datastore](port=self.port + 1)

    def make(self):
        for folder in (self.state, self.run_dir, self.backups, self.fault, self.libexec):
            folder.mkdir(parents=True)
        self.log = open(self.top / "log", "ab")
        self._install()
        self.up()
        self.create("main", self.port + 1)
        self.shop.load(0.01)
        self.call("backup.create", instance="main", backup="good")
        self.call("instance.stop", instance="main")  # a clean state to begin with, each time
        self.down()
        path = self.state / "instances/main/instance.json"
        facts = json.loads(path.read_text())
        facts["wanted"] = "running"
        path.write_text(json.dumps(facts))
        self.template.mkdir()
        subprocess.run(["cp", "-a", "-t", self.template, self.state, self.backups], check=True)

    def _install(self):
        super()._install()
        (self.libexec / "fake").rename(self.libexec / PROGRAM[self.datastore])
        program = PROGRAM[self.datastore]
        path = self.libexec / program
        path.write_text(path.read_text().replace("tests/fake/fake ",
                                                 f"datastores/{program}/{program} "))

    def create(self, name, port):
        user = {"name": "anna", "password": PASSWORD, "access": "all"}
        more = {}
        if self.shop.database:
            user["databases"] = [self.shop.database]
            more["databases"] = [{"name": self.shop.database}]
        return self.call("instance.create", detach=name != "main", instance=name, port=port,
                         datastore=self.datastore, version=self.old, users=[user], **more)

    def serving(self):
        def accepts():
            try:
                return self.shop.pulse()
            except Exception:  # whatever a client library makes of a closed door
                return None
        wait_for(accepts, 60, f"{self.datastore} to serve")
        return self

    def processes(self, engines=False):
        if engines:
            return list(engine_processes(self.state))
        bound = set()
        for path in self.state.glob("*/*/data/*/files"):
            status = path.stat()
            bound.add((status.st_dev, status.st_ino))
        return [int(entry.name) for entry in os.scandir("/proc")
                if entry.name.isdigit() and self._is_ours(int(entry.name), bound)]

    def _is_ours(self, pid, bound):
        if self.daemon and pid == self.daemon.pid:
            return False
        try:
            if str(self.top).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return alive(pid)
            status = os.stat(f"/proc/{pid}/root/var/lib/dbguest/data")
        except OSError:
            return False
        return (status.st_dev, status.st_ino) in bound and alive(pid)

    def look(self):
        """{"instances": {name: version}, "backups": [...], "left over": [...]}"""
        found = {}
        for path in sorted((self.state / "instances").iterdir()):
            current = os.readlink(path / "current")
            found[path.name] = os.path.basename(os.readlink(path / current / "version"))
        left = [str(path) for place in ("scratch/*", "jobs/open/*", "instances/*/closed")
                for path in self.state.glob(place)]
        engines = {name: None for name in found}
        running = len(self.processes(engines=True))
        if running != len(engines):
            left.append(f"{running} engines of {len(engines)}")
        return {"instances": found, "left over": left,
                "backups": sorted(path.name for path in self.backups.iterdir())}


@pytest.fixture(scope="module", params=sorted(PROGRAM))
def real(request):
    ground = Real(request.param)
    if ground.old is None:
        pytest.skip(f"WARNING: no tree of {request.param} could be made from today's suites")
    try:
        ground.make()
        yield ground
    finally:
        ground.remove()


def begin(ground):
    ground.down()
    ground.reset()
    ground.up().serving()
    wait_for(lambda: not ground.look()["left over"], 30, "quiet")
    return ground.look()


SUBMIT = {
    "create": lambda ground: ground.create("second", ground.port)["job"],
    "upgrade": lambda ground: ground.submit("instance.upgrade", instance="main",
                                            version=ground.new),
    "major": lambda ground: ground.submit("instance.upgrade", instance="main",
                                          version=ground.next),
    "backup": lambda ground: ground.submit("backup.create", instance="main", backup="next"),
    "restore": lambda ground: ground.submit("backup.restore", instance="second", backup="good",
                                            port=ground.port),
}


def finish(ground, job):
    outcome = ground.outcome(job, 120)
    assert outcome != "needs_attention", ground.job(job)["error"]
    ground.serving()
    return outcome


def dry_run(ground, operation):
    old = begin(ground)
    ground.watch_records()
    with Prober(ground.shop):
        assert finish(ground, SUBMIT[operation](ground)) == "ok"
    wait_for(lambda: not ground.look()["left over"], 30, "quiet")
    patterns = list(dict.fromkeys(pattern_of(record) for _, record in ground.records()))
    return old, ground.look(), patterns


def strike(ground, pid, victim):
    """When it was."""
    died = time.monotonic()
    if victim in ("daemon", "all"):
        ground.kill_daemon()
    if victim in ("engine", "all"):
        for engine in ground.processes(engines=True):
            kill(engine)
    if victim in ("worker", "all"):
        kill(pid)
    else:
        os.kill(pid, signal.SIGCONT)
    if victim in ("daemon", "all"):
        ground.up()
    return died


def play(ground, operation, when, record, victim, old, new):
    begin(ground)
    ground.rule((when, "stop", record))
    prober = Prober(ground.shop)
    prober.start()
    try:
        job = SUBMIT[operation](ground)
        died = strike(ground, ground.await_rules(job, stop=True), victim)
        outcome = finish(ground, job)
        seconds = time.monotonic() - died
        wanted = new if outcome == "ok" else old
        wait_for(lambda: ground.look() == wanted, 30, f"after {outcome} {wanted}, "
                                                      f"but it is {ground.look()}")
    finally:
        prober.stopping.set()
        prober.join(30)
    lost = prober.acknowledged - ground.shop.pulses()
    # Redis syncs its file once a second: what SIGKILL leaves to the kernel is there all the same.
    assert not lost, f"acknowledged and lost: {sorted(lost)[:10]}"
    return outcome, seconds


def cases_of(real, operation, victim, patterns):
    if victim != "in turn":
        return [(when, record, victim) for record in patterns for when in ("before", "after")]
    steps = [record for record in patterns if record.startswith(STEPS)]
    first = TURN + sorted(PROGRAM).index(real.datastore) + list(SUBMIT).index(operation)
    return [("after", record, VICTIMS[(first + number) % 4]) for number, record in enumerate(steps)]


@pytest.fixture(scope="module")
def seen():
    rows = []
    yield rows
    if TABLE and rows:
        with open(TABLE, "a", encoding="utf-8") as file:
            file.write(table.by_victim(rows))


@pytest.mark.parametrize("victim", VICTIMS if ALL else ["in turn"])
@pytest.mark.parametrize("operation", SUBMIT)
def test_old_or_new_and_nothing_acknowledged_is_lost(real, seen, operation, victim):
    if operation == "upgrade" and real.new is None:
        pytest.skip(f"Debian has one {real.datastore} only: nothing to upgrade to")
    if operation == "major" and real.datastore not in ("postgresql", "mariadb"):
        pytest.skip(f"{real.datastore} migrates nothing")
    old, new, patterns = dry_run(real, operation)
    wrong = []
    for when, record, who in cases_of(real, operation, victim, patterns):
        try:
            said, seconds = play(real, operation, when, record, who, old, new)
        except (AssertionError, TimeoutError, Died, Refused) as error:
            wrong.append(f"{record} {when}, {who}: {type(error).__name__} {error}")
            continue
        seen.append(Row(f"{real.datastore} {operation}", record, when, who, said, seconds))
    assert not wrong, "\n".join(wrong)
