"""Every record of every operation's journal, before and after it, and whoever dies there.

What records there are is found by a run in which nobody dies. Afterwards the instance must be as it
was before, or as that run left it, and the job's outcome must say which of the two.
"""

import dataclasses
import json
import os
import signal
import time
import typing

from session import Counter
from wait import Died, Refused, kill, wait_for

VICTIMS = ("worker", "daemon", "engine", "all")
SETTLE_S = 8


class Row(typing.NamedTuple):
    """What came of one death."""

    operation: str
    record: str
    when: str
    victim: str
    said: str       # the job's outcome, or WRONG and why
    seconds: float  # from the death until the outcome was known


@dataclasses.dataclass
class Operation:
    name: str
    method: str
    params: object                      # a function of the ground
    prepare: object = None              # likewise; before anything is watched
    touches_versions: bool = False
    fails: str = ""                     # the outcome of the run in which nobody dies
    either: bool = False                # "interrupted" leaves open what it left (C11)
    deaths: tuple = ()                  # (when, record): one that has happened before


def stop_main(ground):
    ground.call("instance.stop", instance="main")


def misbehave(how, version="1.1"):
    def prepare(ground):
        ground.call("instance.configure", instance="main", settings={how: version})
    return prepare


def migrate_main(ground):
    ground.call("instance.upgrade", **to_other_format(ground))


def enable_root(ground):
    ground.call("root.enable", instance="main", password="root-secret-7")


def on_main(**more):
    return lambda ground: {"instance": "main", **more}


def new_one(**more):
    return lambda ground: {"instance": "second", "datastore": "fake", "port": ground.port + 1,
                           "version": ground.versions["1.0"], "databases": [{"name": "one"}],
                           "users": [{"name": "eve", "password": "eve-secret-7"}], **more}


def to_new(ground):
    return {"instance": "main", "version": ground.versions["1.1"]}


def to_other_format(ground):
    return {"instance": "main", "version": ground.versions["2.0"]}


def restored(**more):
    return lambda ground: {"instance": "second", "backup": "good", "port": ground.port + 1, **more}


OPERATIONS = [
    Operation("create", "instance.create", new_one()),
    Operation("create, which fails", "instance.create", new_one(settings={"fail_start": "all"}),
              fails="engine"),
    Operation("start", "instance.start", on_main(), prepare=stop_main),
    Operation("stop", "instance.stop", on_main()),
    Operation("restart", "instance.restart", on_main()),
    Operation("configure", "instance.configure", on_main(settings={"max_clients": 50})),
    Operation("configure, which fails", "instance.configure", on_main(settings={"nonsense": 1}),
              fails="engine"),
    Operation("upgrade", "instance.upgrade", to_new),
    Operation("upgrade, which fails", "instance.upgrade", to_new, prepare=misbehave("lie"),
              fails="rolled_back"),
    Operation("upgrade, which does not start", "instance.upgrade", to_new,
              prepare=misbehave("fail_start"), fails="rolled_back"),
    Operation("upgrade, migrated", "instance.upgrade", to_other_format, touches_versions=True),
    Operation("upgrade, migrated, which fails", "instance.upgrade", to_other_format,
              prepare=misbehave("lie", "2.0"), fails="rolled_back", touches_versions=True),
    Operation("release", "instance.release", on_main(confirm="main"), prepare=migrate_main,
              touches_versions=True),
    Operation("delete", "instance.delete", on_main(confirm="main")),
    Operation("database.create", "database.create", on_main(name="new")),
    Operation("database.drop", "database.drop", on_main(name="shop", confirm="shop")),
    Operation("user.create", "user.create", on_main(name="new", password="new-secret-7")),
    Operation("user.drop", "user.drop", on_main(name="bob")),
    Operation("user.grant", "user.grant", on_main(name="bob", databases=["a"]), either=True),
    Operation("user.revoke", "user.revoke", on_main(name="bob"), either=True),
    Operation("user.set_password", "user.set_password",
              on_main(name="bob", password="new-secret-7"), either=True),
    Operation("user.rename", "user.rename", on_main(name="bob", new_name="rob"), either=True),
    Operation("root.enable", "root.enable", on_main(password="root-secret-7"), either=True),
    Operation("root.disable", "root.disable", on_main(), prepare=enable_root),
    Operation("backup.create", "backup.create", on_main(backup="next")),
    Operation("backup.verify", "backup.verify", lambda ground: {"backup": "good"}),
    Operation("backup.restore", "backup.restore", restored()),
    Operation("backup.restore, which fails", "backup.restore",
              restored(settings={"fail_start": "all"}), fails="engine"),
    Operation("backup.delete", "backup.delete",
              lambda ground: {"backup": "good", "confirm": "good"}),
    Operation("version.pull", "version.pull",
              lambda ground: {"datastore": "fake", "source": f"dir:{ground.top}/trees/1.2"},
              touches_versions=True),
    Operation("version.remove", "version.remove",
              lambda ground: {"datastore": "fake", "version": ground.versions["2.0"]},
              touches_versions=True),
    Operation("version.prune", "version.prune", lambda ground: {}, touches_versions=True),
]

# What a recovery does is a matter of where the worker died: back, and forward.
RECOVERIES = [
    dataclasses.replace(operation, name=f"{operation.name}, recovered {word}",
                        deaths=((when, '{"commit"'),))
    for operation in OPERATIONS if not operation.fails
    for word, when in (("back", "before"), ("forward", "after"))
]


def pattern_of(record):
    """What of its JSON names a record; more than one may have the same."""
    kind = next(iter(record))
    if kind == "job":
        return '"format":'
    if kind == "facts":
        return '{"facts":{"%s"' % next(iter(record["facts"]))
    if isinstance(record[kind], str):
        return '{"%s":"%s"' % (kind, record[kind])
    return '{"%s":' % kind


class Case:
    """One operation on one ground; the worker or somebody else may die at a record of it."""

    def __init__(self, ground, operation):
        self.ground, self.operation, self.counter = ground, operation, None

    def begin(self):
        self.ground.down()
        self.ground.reset(self.operation.touches_versions)
        self.ground.up().serving()
        if self.operation.prepare:
            self.operation.prepare(self.ground)
        self.before = self.settled()

    def submit(self):
        if self.before["instances"]["main"]["engine"]:
            self.counter = Counter(self.ground.socket("main"))
            self.counter.start()
        return self.ground.submit(self.operation.method, **self.operation.params(self.ground))

    def stop_counter(self):
        if self.counter:
            self.counter.stop()

    def dry_run(self):
        """The records of a run in which nobody dies but those of operation.deaths."""
        self.begin()
        self.ground.watch_records()
        self.ground.rule(*((when, "kill", record) for when, record in self.operation.deaths))
        job = self.submit()
        outcome = self.ground.outcome(job)
        self.stop_counter()
        self.after = self.settled()
        self.prove_rows()
        records = self.ground.records()
        if self.operation.deaths:
            first = records[0][0]
            records = [entry for entry in records if entry[0] != first]
        patterns = list(dict.fromkeys(pattern_of(record) for _, record in records))
        return outcome, patterns

    def settled(self):
        """What is there once nothing moves any more."""
        def still():
            one = self.ground.look()
            return one if not one["left over"] else None
        try:
            return wait_for(still, SETTLE_S)
        except TimeoutError:
            return self.ground.look()

    def play(self, when, record, victim, old, new):
        """The outcome, and the seconds until it was known; AssertionError: it is neither."""
        self.begin()
        action = "kill" if victim == "worker" else "stop"
        self.ground.rule(*((w, "kill", r) for w, r in self.operation.deaths),
                         (when, action, record))
        job = self.submit()
        try:
            died = self.strike(job, victim)
            outcome = self.ground.outcome(job)
            seconds = time.monotonic() - died
        finally:
            self.stop_counter()
        self.judge(outcome, old, new)
        return outcome, seconds

    def strike(self, job, victim):
        """When it was."""
        ground = self.ground
        pid = ground.await_rules(job, stop=victim != "worker")
        died = time.monotonic()
        if victim == "worker":
            return died
        if victim in ("daemon", "all"):
            ground.kill_daemon()
        if victim in ("engine", "all"):
            for engine in ground.processes(engines=True):
                kill(engine)
        if victim == "all":
            ground.kill_processes()
        else:
            os.kill(pid, signal.SIGCONT)
        if victim in ("daemon", "all"):
            ground.up()
        return died

    def judge(self, outcome, old, new):
        """Old or new, and which of them the outcome says; nothing of what was acknowledged gone."""
        wanted = [new if outcome == "ok" else old]
        if self.operation.either and outcome == "interrupted":
            wanted = [old, new]
        assert outcome != "needs_attention", f"needs attention: {self.ground.error_of_last()}"
        try:
            wait_for(lambda: self.ground.look() in wanted, SETTLE_S)
        except TimeoutError:
            raise AssertionError(f"after {outcome}: " +
                                 difference(wanted[0], self.ground.look())) from None
        self.prove_rows()

    def prove_rows(self):
        if not self.counter or not self.ground.look()["instances"].get("main", {}).get("engine"):
            return
        lost = self.counter.acknowledged - self.ground.rows()
        assert not lost, f"acknowledged and lost: {sorted(lost)[:10]}"


def difference(wanted, found, path=""):
    """The first few places where two looks differ."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        parts = [difference(wanted.get(key), found.get(key), f"{path}/{key}")
                 for key in {**wanted, **found} if wanted.get(key) != found.get(key)]
        return "; ".join(parts[:5])
    return f"{path} is {json.dumps(found)[:300]}, not {json.dumps(wanted)[:300]}"


def run_operation(ground, operation, victims=VICTIMS, whens=("before", "after"), every=1, offset=0):
    """A row for each death that was played."""
    case = Case(ground, operation)
    outcome, patterns = case.dry_run()
    old, new = case.before, case.after
    if operation.fails:
        assert outcome == operation.fails, f"{operation.name}: {outcome}"
        assert old == new, f"{operation.name}: {difference(old, new)}"
    elif not operation.deaths:
        assert outcome == "ok", f"{operation.name}: {outcome} {ground.error_of_last()}"
    elif outcome != "ok" and not operation.either:
        new = old
    rows, number = [], offset
    for record in patterns:
        for when in whens:
            for victim in victims:
                number += 1
                if number % every:
                    continue
                try:
                    said, seconds = case.play(when, record, victim, old, new)
                except (AssertionError, TimeoutError, Died, Refused) as error:
                    said, seconds = f"WRONG: {type(error).__name__} {error}", 0
                rows.append(Row(operation.name, record, when, victim, said, seconds))
    return rows
