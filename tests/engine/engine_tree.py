"""A version's tree of a few host programs, and an instance's folder that uses it."""

import json
import os
import pathlib
import shutil
import subprocess

PROGRAMS = ["sh", "sleep", "cat", "id", "ls", "readlink", "flock", "setsid", "touch", "stat"]


def libraries(program):
    words = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for word in words.split() if word.startswith("/")]


def copy_into(tree, path):
    target = tree / str(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy(path, target)


def make_tree(tree):
    for folder in ["proc", "dev", "run", "tmp", "var/lib", "etc", "usr/bin"]:
        (tree / folder).mkdir(parents=True)
    (tree / "bin").symlink_to("usr/bin")
    for name in ["passwd", "group", "hosts"]:
        (tree / "etc" / name).write_text("")
    for name in PROGRAMS:
        program = os.path.realpath(shutil.which(name))
        shutil.copy(program, tree / "usr/bin" / name)
        for library in libraries(program):
            copy_into(tree, library)


class Instance:
    """.../instances/NAME with one generation; its engine is a shell script."""

    uid = 61234
    script = "trap 'exit 0' TERM; echo up; while :; do sleep 1 & wait $!; done"

    def __init__(self, root, name="main", script=None):
        self.root, self.name = root, name
        self.folder = root / "instances" / name
        self.data = self.folder / "data/1"
        self.sockets = root / "run" / name
        self.tree = root / "versions/fake/1.0/tree"
        if not self.tree.exists():
            make_tree(self.tree)
        files = self.data / "files"
        files.mkdir(parents=True)
        os.chown(files, self.uid, self.uid)
        (root / "run").mkdir(exist_ok=True)
        self.add_generation(1, "1.0", script or self.script)
        self.use(1)
        self.write("instance.json", {
            "name": name, "datastore": "fake", "user": "faker", "uid": self.uid, "port": 0,
            "sockets": str(self.sockets)})

    def write(self, name, content):
        (self.folder / name).write_text(json.dumps(content))

    def add_generation(self, number, version, script):
        folder = self.folder / "generations" / str(number)
        (folder / "conf").mkdir(parents=True)
        (folder / "version").symlink_to(self.root / "versions/fake" / version)
        (folder / "data").symlink_to("../../data/1")
        (folder / "launch.json").write_text(json.dumps({
            "argv": ["/bin/sh", "-c", script], "env": ["FAKE=yes"],
            "stop_signal": 15, "immediate_signal": 9}))

    def use(self, number):
        link = pathlib.Path(str(self.folder / "current") + ".new")
        link.symlink_to(f"generations/{number}")
        link.rename(self.folder / "current")

    def bound_pids(self):
        """Processes that see this data at the engine's path."""
        files = os.stat(self.data / "files")
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and self._sees(pid, files)]

    @staticmethod
    def _sees(pid, files):
        try:
            seen = os.stat(f"/proc/{pid}/root/var/lib/dbguest/data")
        except OSError:
            return False
        return (seen.st_dev, seen.st_ino) == (files.st_dev, files.st_ino)
