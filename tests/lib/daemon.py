"""A dbguestd of one's own, with all its paths in a temporary folder, and a client for it."""
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = {
    "dbguest-launch": "agent/engine/dbguest-launch",
    "dbguest-unpack": "agent/version/dbguest-unpack",
    "postgresql": "datastores/postgresql/postgresql",
    "mysql": "datastores/mysql/mysql",
    "redis": "datastores/redis/redis",
}


def build_folder():
    return pathlib.Path(os.environ.get("DBGUEST_BUILD", TOP / "build"))


class Failure(Exception):
    """An error answer."""

    def __init__(self, error):
        super().__init__(f"{error.get('message')} [{error.get('data', {}).get('reason')}] "
                         f"{error.get('data', {}).get('native') or ''}")
        self.error = error
        self.code = error.get("code")
        self.data = error.get("data") or {}
        self.reason = self.data.get("reason")


class Client:
    """One connection. Notifications that come while an answer is awaited are kept in notes."""

    def __init__(self, path, timeout=120):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")
        self.ids = itertools.count(1)
        self.notes = []

    def send(self, method, /, **params):
        number = next(self.ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return number

    def send_raw(self, data):
        self.socket.sendall(data)

    def receive(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the daemon closed the connection")
        return json.loads(line)

    def answer_to(self, number):
        while True:
            message = self.receive()
            if "method" in message:
                self.notes.append(message)
            elif message.get("id") == number:
                if "error" in message:
                    raise Failure(message["error"])
                return message["result"]

    def call(self, method, /, **params):
        return self.answer_to(self.send(method, **params))

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def live_process(path):
    """The pid that a file names by {pid, start_time}, if that very process lives."""
    try:
        record = json.loads(path.read_text() or "{}")
        pid = int(record["pid"])
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        if int(fields[19]) == int(record["start_time"]):
            yield pid
    except (OSError, ValueError, KeyError):
        return


def engine_processes(state):
    """Pids that run on data below a state folder, by their lock files."""
    for lock in pathlib.Path(state).glob("*/*/data/*/engine.lock"):
        yield from live_process(lock)


class Daemon:
    """Starts in __enter__ or start(); stop() ends the daemon only, close() engines and folder too."""

    def __init__(self, versions=None, backups=None, programs=None, config=None, folder=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="dbg-", dir="/tmp"))
        self.state = self.folder / "state"
        self.run = self.folder / "run"
        self.backups = pathlib.Path(backups or self.state / "backups")
        self.versions = pathlib.Path(versions or self.state / "versions")
        self.socket = self.run / "dbguest.sock"
        self.libexec = self.folder / "libexec"
        self.config = self.folder / "dbguest.conf"
        self.log = self.folder / "dbguestd.log"
        self.process = None
        self.client = None
        self.environment = dict(os.environ)
        self._lay_out(programs or PROGRAMS, config or {})

    def _lay_out(self, programs, extra):
        for folder in (self.state, self.run, self.libexec):
            folder.mkdir(parents=True, exist_ok=True)
        for name, path in programs.items():
            link = self.libexec / name
            if not link.is_symlink():
                link.symlink_to(build_folder() / path)
        sections = {
            "daemon": {
                "name": "dbguest-test",
                "socket": self.socket,
                "state_dir": self.state,
                "versions_dir": self.versions,
                "backups_dir": self.backups,
                "run_dir": self.run,
                "libexec_dir": self.libexec,
                "supervisor": "detached",
            }
        }
        for section, values in extra.items():
            sections.setdefault(section, {}).update(values)
        lines = []
        for section, values in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{name} = {value}" for name, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self, wait=True):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [build_folder() / "agent/daemon/dbguestd", "--config", self.config],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        if wait:
            self.client = self.connect()
        return self

    def connect(self, timeout=10):
        ends = time.monotonic() + timeout
        while True:
            try:
                return Client(self.socket)
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"dbguestd ended:\n{self.log.read_text()}") from None
                if time.monotonic() > ends:
                    raise
                time.sleep(0.005)

    def call(self, method, /, **params):
        return self.client.call(method, **params)

    def stop(self, how=signal.SIGTERM):
        if self.client is not None:
            self.client.close()
            self.client = None
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

    def kill(self):
        self.stop(signal.SIGKILL)

    def restart(self, how=signal.SIGTERM):
        self.stop(how)
        return self.start()

    def workers(self):
        """Pids of workers whose jobs are open."""
        for path in self.state.glob("jobs/open/*/pid"):
            yield from live_process(path)

    def engine(self, instance):
        """The pid of an instance's engine, or None."""
        for pid in engine_processes(self.state):
            name = pathlib.Path(f"/proc/{pid}/root/run/dbguest")
            if name.exists() and name.stat().st_ino == (self.run / instance).stat().st_ino:
                return pid
        return None

    def close(self):
        workers = list(self.workers())
        self.stop()
        for pid in workers + list(engine_processes(self.state)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        ends = time.monotonic() + 10
        while list(engine_processes(self.state)) and time.monotonic() < ends:
            time.sleep(0.02)
        secrets = self.run / "secrets"
        if os.path.ismount(secrets):
            subprocess.run(["umount", secrets], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
