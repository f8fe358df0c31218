"""Sessions with a fake engine, and a client that counts."""

import socket
import threading
import time

from wait import Died

APP = "app", "app-secret-7"


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


def app(ground, instance="main"):
    """A session as the instance's own user has it."""
    return Line(ground.socket(instance), "AUTH", *APP)
