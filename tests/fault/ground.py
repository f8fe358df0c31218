"""A place where things may die: a site of its own with the fake datastore, whose state is put back
between cases, a daemon that is started and killed, and an eye that sees what is left.

    ground = Ground(build, number)      # several side by side do not meet
    ground.make()                       # versions, instance "main", a backup; once
    ground.reset(); ground.up()
    job = ground.submit("instance.upgrade", instance="main", version=ground.versions["1.1"])
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

from eye import Eye
from session import APP, Line
from wait import WAIT_S, Died, Refused, kill, wait_for

BUILD = os.environ.get("DBGUEST_BUILD", pathlib.Path(__file__).parents[2] / "build")


def volatile():
    """A folder that is in memory, or /tmp."""
    for folder in ("/dev/shm", "/run"):
        said = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True,
                              check=False).stdout.strip()
        if said == "tmpfs":
            return pathlib.Path(folder)
    return pathlib.Path("/tmp")


def free_ports(seed):
    """The first of two in a row that nobody has."""
    for port in range(20000 + seed * 4 % 8000, 32000, 4):
        try:
            for number in (port, port + 1):
                with socket.socket() as listener:
                    listener.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue
    raise RuntimeError("no ports are free")


class Ground(Eye):
    def __init__(self, build, number=0, top="/tmp"):
        self.build = pathlib.Path(build)
        self.top = pathlib.Path(f"{top}/dbguest-fault-{os.getpid()}-{number}")
        # Of this run alone: others may be at it on the same machine.
        self.port = free_ports(os.getpid())
        self.uid = 200000 + (os.getpid() * 16 + number) % 200000 * 100
        # In memory if there is such a place: else the daemon would mount one for secrets.
        self.run_dir = volatile() / self.top.name
        self.state = self.top / "state"
        self.versions_dir, self.backups = self.top / "versions", self.top / "backups"
        self.fault, self.libexec = self.top / "fault", self.top / "libexec"
        self.template = self.top / "template"
        self.daemon, self.client, self.serial, self.versions = None, None, 0, {}
        self.log = None

    # --- making it ---

    def make(self):
        for folder in (self.state, self.run_dir, self.versions_dir, self.backups, self.fault,
                       self.libexec):
            folder.mkdir(parents=True, exist_ok=True)
        self.log = open(self.top / "log", "ab")
        self._install()
        for version in ("1.0", "1.1", "1.2", "2.0"):
            self._tree(version)
        self.up()
        for version in ("1.0", "1.1", "2.0"):
            self.pull(version)
        self.call("instance.create", instance="main", datastore="fake", version=self.versions["1.0"],
                  port=self.port, settings={"max_clients": 20}, databases=[{"name": "shop"}],
                  users=[{"name": APP[0], "password": APP[1], "databases": ["shop"]},
                         {"name": "bob", "password": "bob-secret-7", "databases": ["shop"]}])
        line = Line(self.socket("main"), "AUTH", *APP)
        for number in range(20):
            line.ask("SET", f"base{number}", number)
        line.close()
        self.call("backup.create", instance="main", backup="good")
        self.down()
        self._keep(self.template)

    def _install(self):
        """The programs, the worker's by a wrapper that loads what lets it die."""
        (self.libexec / "dbguest-launch").symlink_to(self.build / "agent/engine/dbguest-launch")
        wrapper = self.libexec / "fake"
        wrapper.write_text(f"#!/bin/sh\nexport DBGUEST_FAULT={self.fault} "
                           f"LD_PRELOAD={self.build}/tests/fault/fault.so "
                           "ASAN_OPTIONS=verify_asan_link_order=0\n"
                           f'exec {self.build}/tests/fake/fake "$@"\n')
        wrapper.chmod(0o755)
        (self.top / "dbguest.conf").write_text(
            f"[daemon]\nname = fault{os.getpid()}\nsocket = {self.top}/sock\nsocket_group =\n"
            f"state_dir = {self.state}\nversions_dir = {self.versions_dir}\n"
            f"backups_dir = {self.backups}\nrun_dir = {self.run_dir}\n"
            f"libexec_dir = {self.libexec}\nsupervisor = detached\n"
            f"[instances]\nuid_first = {self.uid}\nuid_count = 90\n")

    def _tree(self, version):
        tree = self.top / "trees" / version
        (tree / "usr/bin").mkdir(parents=True)
        (tree / "usr/share/fake").mkdir(parents=True)
        shutil.copy(self.build / "tests/fake/fake-engine", tree / "usr/bin/fake-engine")
        (tree / "usr/share/fake/version").write_text(version + "\n")

    def pull(self, version):
        result = self.call("version.pull", datastore="fake",
                           source=f"dir:{self.top}/trees/{version}")
        self.versions[version] = result["version"]
        return result["version"]

    def _keep(self, place):
        place.mkdir()
        subprocess.run(["cp", "-a", "-t", place, self.state, self.versions_dir, self.backups],
                       check=True)

    def reset(self, versions=False):
        """Everything as make() left it; the trees only where they may have been touched."""
        places = [self.state, self.backups] + ([self.versions_dir] if versions else [])
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run(["cp", "-a", self.template / place.name, place], check=True)
        self._empty()

    def _empty(self):
        """What a boot takes, and the rules."""
        for place in (self.fault, self.run_dir):
            self._unmount()
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()

    def remove(self):
        self.down()
        if self.log:
            self.log.close()
        self._unmount()
        shutil.rmtree(self.run_dir, ignore_errors=True)
        shutil.rmtree(self.top, ignore_errors=True)

    def _unmount(self):
        if os.path.ismount(self.run_dir / "secrets"):
            subprocess.run(["umount", "--lazy", self.run_dir / "secrets"], check=False)

    # --- the daemon ---

    def up(self):
        """Starts the daemon and waits until what should run runs."""
        self.daemon = subprocess.Popen(
            [self.build / "agent/daemon/dbguestd", "--config", self.top / "dbguest.conf"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.client = wait_for(self._connect, what="the daemon's socket")
        return self

    def serving(self):
        """Waits until all that should run does."""
        for path in (self.state / "instances").glob("[a-z]*"):
            facts = json.loads((path / "instance.json").read_text())
            if facts["wanted"] == "running" and not (path / "closed").exists():
                wait_for(lambda: self._ask(path.name) not in (None, "does not answer"),
                         what="the engine")
        self.all_ended()
        return self

    def all_ended(self):
        """The daemon's own starts, too: a rule is for the job that a test submits after this."""
        wait_for(lambda: all(job["outcome"] for job in self.call("job.list")["jobs"]), 20,
                 "the end of all jobs")

    def _connect(self):
        if self.daemon.poll() is not None:
            raise Died(f"the daemon ended with {self.daemon.returncode}")
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(self.top / "sock"))
        except OSError:
            client.close()
            return None
        client.settimeout(60)
        return client.makefile("rw", newline="\n")

    def kill_daemon(self):
        kill(self.daemon.pid)
        self.daemon.wait()

    def down(self):
        """Daemon, workers and engines, none of them asked."""
        if self.daemon:
            self.kill_daemon()
            self.client.close()
        self.daemon = None
        self.kill_processes()

    def kill_processes(self):
        """Until none is seen three times in a row: one that is about to exec has no name yet."""
        quiet = 0
        ends = time.monotonic() + WAIT_S
        while quiet < 3:
            found = self.processes()
            quiet = 0 if found else quiet + 1
            for pid in found:
                kill(pid)
            if time.monotonic() > ends:
                raise TimeoutError(f"do not end: {[self._tell(pid) for pid in found]}")
            time.sleep(0.003)

    def call(self, method, **params):
        """The result; an error is raised as its data."""
        self.serial += 1
        try:
            self.client.write(json.dumps({"jsonrpc": "2.0", "id": self.serial, "method": method,
                                          "params": params}) + "\n")
            self.client.flush()
            while True:
                answer = json.loads(self.client.readline() or "null")
                if answer is None:
                    raise Died(method)
                if answer.get("id") == self.serial:
                    break
        except OSError as error:
            raise Died(method) from error
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def submit(self, method, **params):
        return self.call(method, detach=True, **params)["job"]

    def job(self, job):
        return self.call("job.show", job=job)

    def outcome(self, job, seconds=WAIT_S):
        """Waits for its end; the word of the outcome."""
        try:
            return wait_for(lambda: self.job(job).get("outcome"), seconds, f"the end of {job}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.job(job)}; {self._left_over()}") from error

    def error_of_last(self):
        """What the newest job said of itself."""
        jobs = self.call("job.list", limit=1)["jobs"]
        return self.job(jobs[0]["job"]).get("error") if jobs else None

    # --- what may happen to a worker ---

    def rule(self, *rules):
        """Each: (when, action, part of the record)."""
        (self.fault / "fired").unlink(missing_ok=True)
        (self.fault / "rules").write_text("".join(" ".join(rule) + "\n" for rule in rules))

    def watch_records(self):
        (self.fault / "records").touch()

    def records(self):
        """[(pid, {record})] since watch_records()."""
        lines = (self.fault / "records").read_text().splitlines()
        return [(int(pid), json.loads(text)) for pid, _, text in
                (line.partition(" ") for line in lines)]

    def fired(self):
        """The worker's pid, once a rule has come true."""
        try:
            return int((self.fault / "fired").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def await_rules(self, job, stop=False):
        """The worker's pid once all rules have come true; with stop once it has stopped."""
        def true():
            return not (self.fault / "rules").read_text() and self.fired()
        try:
            pid = wait_for(true, what="the record")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.job(job)}") from error
        if stop:
            wait_for(lambda: self.stopped(pid), what="the worker's stop")
        return pid

    def stopped(self, pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
        except OSError:
            return False
