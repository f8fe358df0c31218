"""A booted machine: Debian with systemd in a container, our build installed into it.

PID 1 of where tests run need not be systemd: the container has a mount namespace of its own with a
/run of its own, and registers nowhere. Its network is one that the caller has made for itself
(`own_network()`), so that engines inside are reached by their ports, over reboots too, and meet no
port of the machine outside.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from daemon import Client, build_folder

PACKAGES = ("systemd systemd-sysv dbus procps iproute2 "
            # what our programs are linked with, and for a build with sanitizers theirs
            "libuv1 libjson-c5 libsystemd0 libinih1 libpq5 libmariadb3 libhiredis0.14 libzstd1 "
            "libssl3 libasan8 libubsan1").split()
CLONE_NEWNET = 0x40000000
BOOT_S = 60
REBOOT_WANTED = 133  # nspawn's status when whoever started it is to start it again


def release():
    lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["VERSION_CODENAME"]


def sources():
    """The machine's own packages sources of its own release, as apt has them."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(TARGET_OF) $(REPO_URI) $(RELEASE) $(COMPONENT)"],
        capture_output=True, text=True, check=True).stdout
    fields = {tuple(line.split()) for line in listed.splitlines()}
    return "".join(f"deb {f[1]} {f[2]} {f[3]}\n" for f in sorted(fields)
                   if f[0] == "deb" and f[2].startswith(release()) and f[3] == "main")


def machine_tree(cache):
    """The machine without us, made once: a third of a minute, 230 MiB."""
    tree, noted = cache / "machine", cache / "machine.packages"
    if tree.exists() and noted.exists() and noted.read_text().split() == PACKAGES:
        return tree
    cache.mkdir(parents=True, exist_ok=True)
    making = cache / "machine.making"
    for left in (making, tree):
        shutil.rmtree(left, ignore_errors=True)
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}",
         "--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=path-exclude=/usr/share/doc/*",
         release(), making, "-"], input=sources(), text=True, check=True,
        stdout=subprocess.DEVNULL)
    making.rename(tree)
    noted.write_text("\n".join(PACKAGES))
    return tree


def _libc(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def own_network():
    """This thread, and the threads it starts, in a network of their own."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _libc("unshare", CLONE_NEWNET)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        _libc("setns", before, CLONE_NEWNET)
        os.close(before)


def cgroups():
    """Groups of our own in the hierarchies that systemd uses: two machines shall not share one."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        hybrid = pathlib.Path("/sys/fs/cgroup/unified")
        if controllers == "name=systemd":
            yield pathlib.Path(f"/sys/fs/cgroup/systemd{path}/dbguest-test-{os.getpid()}")
        elif number == "0" and not controllers:
            top = hybrid if hybrid.exists() else pathlib.Path("/sys/fs/cgroup")
            yield pathlib.Path(f"{top}{path}/dbguest-test-{os.getpid()}")


def remove_cgroup(top):
    for folder, _, _ in os.walk(top, topdown=False):
        os.rmdir(folder)


def install(root):
    """What `meson install` puts there."""
    subprocess.run(["meson", "install", "--no-rebuild", "--quiet", "-C", build_folder(),
                    "--destdir", root], check=True, stdout=subprocess.DEVNULL)


def build_option(name):
    options = subprocess.run(["meson", "introspect", "--buildoptions", build_folder()],
                             capture_output=True, text=True, check=True).stdout
    return next(option["value"] for option in json.loads(options) if option["name"] == name)


# Own mounts and an own /run, for nspawn writes to it; what it mounts goes with it.
NSPAWN = """
for group in $CGROUPS; do echo $$ >$group/cgroup.procs; done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd
exec systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe --kill-signal=SIGRTMIN+4 \
    --machine=dbguest-test "$@"
"""


class Machine:
    """boot() it, run() commands in it, and call() its daemon from outside."""

    def __init__(self, tree, versions):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dbg-machine-", dir="/tmp"))
        self.root = self.folder / "root"
        self.versions = versions
        self.process = None
        self.leader = None
        self.cgroups = list(cgroups())
        self.log = self.folder / "console"
        subprocess.run(["cp", "-a", "--reflink=auto", tree, self.root], check=True)
        install(self.root)
        for command in (["systemd-machine-id-setup", f"--root={self.root}"],
                        ["systemd-sysusers", f"--root={self.root}"],
                        ["systemctl", "--quiet", f"--root={self.root}", "enable", "dbguestd"]):
            subprocess.run(command, check=True, capture_output=True)
        for kept in ("var/lib/dbguest/versions", "var/log/journal"):
            (self.root / kept).mkdir(parents=True, exist_ok=True)
        if build_option("b_sanitize") != "none":
            # looking for leaks traces a process, which the filter of an engine's unit does not let
            settings = self.root / "etc/systemd/system.conf.d/sanitize.conf"
            settings.parent.mkdir(exist_ok=True)
            settings.write_text("[Manager]\nDefaultEnvironment=ASAN_OPTIONS=detect_leaks=0\n")

    def boot(self):
        """Until systemd says that all that it starts has been started."""
        for group in self.cgroups:
            group.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private",
                 "/bin/sh", "-euc", NSPAWN, "nspawn", f"--directory={self.root}",
                 f"--network-namespace-path=/proc/{os.getpid()}/ns/net",
                 f"--bind-ro={self.versions}:/var/lib/dbguest/versions"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "CGROUPS": " ".join(map(str, self.cgroups))})
        return self._await_up()

    def _find_leader(self):
        path = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in path.read_text().split():
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            if status.startswith("Name:\tsystemd\n"):
                return pid
        return None

    def _await_up(self):
        ends = time.monotonic() + BOOT_S
        while (leader := self._find_leader()) is None or not (
                pathlib.Path(f"/proc/{leader}/root/run/systemd/private").exists()):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < ends, self.log.read_text()
            time.sleep(0.02)
        self.leader = leader
        self.run("systemctl", "is-system-running", "--wait", check=False)
        return self

    def run(self, *command, check=True, text=None):
        """A command inside; what it says."""
        done = subprocess.run(
            ["nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "env",
             "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
             "HOME=/root", "LANG=C.UTF-8", *command],
            input=text, stdin=None if text is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout.strip()

    def ask(self, unit, *properties):
        """Properties of a unit, as a dictionary; alone as a string."""
        lines = self.run("systemctl", "show", unit, *(f"-p{name}" for name in properties))
        said = dict(line.split("=", 1) for line in lines.splitlines())
        return said if len(properties) > 1 else said[properties[0]]

    def outside(self, pid):
        """The number outside of a process inside."""
        space = os.readlink(f"/proc/{self.leader}/ns/pid")
        for path in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(path / "ns/pid") != space:
                    continue
                numbers = next(line for line in (path / "status").read_text().splitlines()
                               if line.startswith("NSpid:"))
            except OSError:
                continue
            if numbers.split()[-1] == str(pid):
                return int(path.name)
        raise ProcessLookupError(f"no process {pid} inside")

    def jobs(self):
        """Units of jobs that run."""
        return self.run("systemctl", "list-units", "--plain", "--no-legend", "dbguest-job-*")

    def path(self, inside):
        """A path inside as it is seen from outside, its tmpfs and binds included."""
        return pathlib.Path(f"/proc/{self.leader}/root{inside}")

    def connect(self, timeout=10):
        ends = time.monotonic() + timeout
        while True:
            try:
                return Client(self.path("/run/dbguest/dbguest.sock"))
            except OSError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.005)

    def call(self, method, **params):
        with self.connect() as client:
            return client.call(method, **params)

    def reboot(self):
        self.run("systemctl", "--no-block", "reboot")
        assert self.process.wait(BOOT_S) == REBOOT_WANTED, self.log.read_text()
        return self.boot()

    def cut(self):
        """The plug is pulled: everything inside dies at once."""
        os.kill(int(self.leader), signal.SIGKILL)
        self.process.wait(30)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for group in self.cgroups:
            remove_cgroup(group)
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self.boot()

    def __exit__(self, *_):
        self.close()
