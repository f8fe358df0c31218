"""What is there: processes, instances, backups, and whatever should not be."""

import json
import os
import pathlib

from session import Line
from wait import Died, alive


class Eye:
    """The half of a ground that only looks."""

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
