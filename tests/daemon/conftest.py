"""A daemon of its own for each test, in a temporary folder."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from client import Client

# What may die, and how: the tests of several folders use it.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "fault"))

BUILD = pathlib.Path(
    os.environ.get("DBGUEST_BUILD", pathlib.Path(__file__).parents[2] / "build")
)


class Daemon:
    def __init__(self, folder, libexec):
        self.folder = folder
        self.state = folder / "state"
        self.run = folder / "run"  # short: a socket's path has at most 107 bytes
        self.socket = self.run / "dbguest.sock"
        self.libexec = libexec
        self.config = folder / "dbguest.conf"
        self.log = folder / "log"
        self.process = None
        self.settings = {}
        self.write_config()

    def write_config(self, text=None, **sections):
        """sections: limits={"line_bytes": 4096}; text instead of all that."""
        self.settings.update(sections)
        if text is None:
            text = (
                f"[daemon]\nstate_dir = {self.state}\nrun_dir = {self.run}\n"
                f"libexec_dir = {self.libexec}\nsupervisor = detached\n"
            )
            for section, values in self.settings.items():
                text += f"[{section}]\n"
                text += "".join(f"{name} = {value}\n" for name, value in values.items())
        self.config.write_text(text)

    def command(self, *more):
        program = BUILD / "agent/daemon/dbguestd"
        return [str(program), "--config", str(self.config), *more]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the daemon ended: {self.log.read_text()}")
            try:
                Client(self.socket).close()
                return self
            except OSError:
                time.sleep(0.005)
        raise RuntimeError("the daemon does not listen")

    def run_to_end(self, *more):
        """For starts that are to fail."""
        return subprocess.run(
            self.command(*more), capture_output=True, text=True, timeout=20, check=False
        )

    def make_instance(self, name="main"):
        with self.client() as client:
            return client.call("instance.create", instance=name, datastore="played", version="1")

    def engine(self, name="main"):
        """The process that the player left as its engine."""
        return json.loads((self.state / f"instances/{name}/data/1/engine.lock").read_text())["pid"]

    def resident_bytes(self):
        """0 in a build with the address sanitizer, whose memory says nothing of ours."""
        program = pathlib.Path(f"/proc/{self.process.pid}/exe").read_bytes()
        if b"__asan_init" in program:
            return 0
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self, number=signal.SIGTERM):
        """Returns the exit status."""
        if self.process is None:
            return None
        self.process.send_signal(number)
        status = self.process.wait(10)
        self.process = None
        return status

    def kill(self):
        self.stop(signal.SIGKILL)

    def restart(self):
        self.kill()
        return self.start()

    def client(self, **options):
        return Client(self.socket, **options)

    def done(self, job):
        return self.state / "jobs/done" / job

    def open(self, job):
        return self.state / "jobs/open" / job

    def result(self, job):
        return json.loads((self.done(job) / "result").read_text())

    def end_workers(self):
        """What a failed test may have left behind: workers of open jobs, engines."""
        for record in [
            *self.state.glob("jobs/open/*/pid"),
            *self.state.glob("instances/*/data/*/engine.lock"),
        ]:
            try:
                process = json.loads(record.read_text())
                stat = pathlib.Path(f"/proc/{process['pid']}/stat").read_text()
                if int(stat.rsplit(")", 1)[1].split()[19]) == process["start_time"]:
                    os.kill(process["pid"], signal.SIGKILL)
            except (OSError, ValueError, KeyError, TypeError):
                continue
        # A worker that has not said yet who it is has our folder in its command line.
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if f"{self.folder}/".encode() in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)
            except OSError:
                continue

    def unmount(self):
        subprocess.run(
            ["umount", "--quiet", "--lazy", self.run / "secrets"],
            check=False,
            stderr=subprocess.DEVNULL,
        )


HERE = pathlib.Path(__file__).parent


@pytest.fixture
def path(tmp_path):
    """Where a stub listens, for tests of dbguestctl alone."""
    return tmp_path / "dbguest.sock"


@pytest.fixture
def daemon_not_started():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="dbg-", dir="/tmp"))
    libexec = folder / "libexec"
    libexec.mkdir()
    (libexec / "player").symlink_to(HERE / "player")
    daemon = Daemon(folder, libexec)
    yield daemon
    daemon.kill()
    daemon.end_workers()
    daemon.unmount()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def daemon(daemon_not_started):
    return daemon_not_started.start()


@pytest.fixture
def client(daemon):
    with daemon.client() as client:
        yield client


@pytest.fixture
def main(daemon, client):
    daemon.make_instance("main")
    return client
