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
import signal
import socket
import subprocess
import threading
import time

APP = "app", "app-secret-7"
WAIT_S = 15


class Died(Exception):
    """What was asked went away."""


def alive(pid):
    """Whether a process lives; a zombie does not."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait_for(condition, seconds=WAIT_S, what="something"):
    """Polls quickly at first; returns what the condition gave."""
    ends, pause = time.monotonic() + seconds, 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


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


class Line:
    """A session with a fake engine."""

    def __init__(self, path, *hello):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(5)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw", newline="\n")
        self.ask(*hello)

    def ask(self, *words):
        self.file.write(" ".join(map(str, words)) + "\n")
        self.file.flush()
        answer = self.file.readline()
        if not answer.endswith("\n"):
            raise Died
        if answer.startswith("ERR"):
            raise PermissionError(answer[4:-1])
        return answer[3:-1] if answer.startswith("OK ") else ""

    def rows(self, prefix):
        rows = {}
        for _ in range(int(self.ask("LIST", prefix))):
            key, _, value = self.file.readline()[:-1].partition(" ")
            rows[key[len(prefix):]] = value
        return rows

    def close(self):
        self.file.close()
        self.socket.close()

    def drop(self):
        """The same of one that may be gone already."""
        try:
            self.close()
        except OSError:
            self.socket.close()


class Counter(threading.Thread):
    """A client that never stops writing and remembers what was acknowledged."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.tried, self.going = path, 0, True
        self.acknowledged = set()

    def run(self):
        line = None
        while self.going:
            try:
                line = line or Line(self.path, "AUTH", *APP)
                self.tried += 1
                line.ask("SET", f"row{self.tried:06d}", "x")
                self.acknowledged.add(self.tried)
                time.sleep(0.0005)
            except (OSError, Died):
                if line:
                    line.drop()
                line = None
                time.sleep(0.002)
        if line:
            line.drop()

    def stop(self):
        self.going = False
        self.join()


class Ground:
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
        return wait_for(lambda: self.job(job).get("outcome"), seconds, f"the end of {job}")

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

    # --- what is there ---

    def socket(self, instance):
        return self.run_dir / instance / "fake.sock"

    def engine_pid(self, instance="main"):
        """Of the process that has the instance's data bound as its own."""
        files = os.path.realpath(self.state / "instances" / instance / "current/data/files")
        for pid in self.processes(engines=True):
            try:
                if os.path.samefile(f"/proc/{pid}/root/var/lib/dbguest/data", files):
                    return pid
            except OSError:
                continue
        return None

    def processes(self, engines=False):
        """Everything of this ground: its workers, engines, launchers, tools; the daemon not."""
        found = []
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            pid = int(entry.name)
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if not words[0]:
                    continue
                engine = words[:2] == [b"/usr/bin/fake-engine", b"serve"] and self._executes(pid)
                tool = words[0] == b"/usr/bin/fake-engine" and self._executes(pid)
            except OSError:
                continue
            ours = tool or str(self.top).encode() in b" ".join(words) and \
                not (self.daemon and pid == self.daemon.pid)
            if (engine or (ours and not engines)) and alive(pid):
                found.append(pid)
        return found

    def _executes(self, pid):
        """Whether it runs a file of our trees; engines of other grounds look the same."""
        status = os.stat(f"/proc/{pid}/exe")
        trees = [*self.versions_dir.glob("fake/*/tree"), *self.versions_dir.glob("fake/.*/*/tree")]
        for tree in trees:
            try:
                there = os.stat(tree / "usr/bin/fake-engine")
            except OSError:
                continue
            if (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino):
                return True
        uid = os.stat(f"/proc/{pid}").st_uid
        return self.uid <= uid < self.uid + 90

    def rows(self, instance="main"):
        """The numbers of the counting client's rows."""
        line = Line(self.socket(instance), "AGENT", "test")
        rows = {int(name) for name in line.rows("row")}
        line.close()
        return rows

    def look(self):
        """All that must be the old or the new, and nothing between."""
        instances = self.state / "instances"
        return {
            "instances": {path.name: self._look_at(path) for path in sorted(instances.iterdir())},
            "backups": self._backups(),
            "versions": sorted(str(path.relative_to(self.versions_dir))
                               for path in self.versions_dir.glob("*/*")),
            "sockets": sorted(path.name for path in self.run_dir.iterdir()
                              if path.is_dir() and path.name != "secrets"),
            "left over": self._left_over(),
        }

    def _look_at(self, folder):
        if folder.name.startswith("."):
            return "left over"
        current = os.readlink(folder / "current")
        instance = json.loads((folder / "instance.json").read_text())
        return {
            "version": os.path.basename(os.readlink(folder / current / "version")),
            "generation": current,
            "data": sorted(path.name for path in (folder / "data").iterdir()),
            "closed": (folder / "closed").exists(),
            "wanted": instance["wanted"],
            "settings": json.loads((folder / current / "settings.json").read_text()),
            "conf": (folder / current / "conf/fake.conf").read_text(),
            "gate": (folder / current / "conf/gate").read_text().strip(),
            "strange": [path.name for path in (folder / "generations").iterdir()
                        if not path.name.isdigit() or int(path.name) > int(current[12:])],
            "engine": self._ask(folder.name),
        }

    def _ask(self, instance):
        pid = self.engine_pid(instance)
        if pid is None:
            return None
        try:
            line = Line(self.socket(instance), "AGENT", "test")
        except (OSError, Died):
            return "does not answer"
        found = {"version": line.ask("INFO").split()[0], "gate": line.ask("GATE"),
                 "databases": line.rows("d:"), "users": line.rows("u:"), "moods": line.rows("s:"),
                 "base": len(line.rows("base"))}
        line.close()
        return found

    def _backups(self):
        found = {}
        for path in sorted(self.backups.iterdir()):
            manifest = json.loads((path / "manifest.json").read_text()) \
                if (path / "manifest.json").exists() else {}
            found[path.name] = {"whole": bool(manifest.get("sha256")),
                                "verified": bool(manifest.get("verified_at"))}
        return found

    def _left_over(self):
        left = [str(path) for path in self.state.glob("scratch/*")]
        left += [str(path) for path in self.state.glob("jobs/open/*")]
        left += [f"{folder}/{name}" for folder, folders, names in os.walk(self.state)
                 for name in folders + names if name.startswith(".")]
        left += [str(path) for path in self.run_dir.glob("secrets/*")]
        running = {self.engine_pid(path.name) for path in self.state.glob("instances/[a-z]*")}
        left += [self._tell(pid) for pid in self.processes() if pid not in running]
        left += [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()
                 if self.top.name in line and "/secrets " not in line and "/disk " not in line]
        return left

    @staticmethod
    def _tell(pid):
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
            return f"process {pid}: {words.decode()}"
        except OSError:
            return f"process {pid}"


class Refused(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.error, self.data = error, error["data"]
        self.reason = error["data"]["reason"]
