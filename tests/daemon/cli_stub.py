"""A daemon that says what a test wants to hear, and a terminal to look at what dbguestctl shows."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import socket
import struct
import subprocess
import termios
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DBGUEST_BUILD", TOP / "build"))
PROGRAM = BUILD / "agent/cli/dbguestctl"


class Hangup(Exception):
    """The connection ends without an answer."""


class Answer(Exception):
    """An error answer."""

    def __init__(self, code, message, reason, **data):
        super().__init__(message)
        whole = {"reason": reason, "native": None, "retryable": False, "hint": None, "job": None}
        self.error = {"code": code, "message": message, "data": {**whole, **data}}


class Stub:
    """Answers each method with what `answers` has for it: a result, an Answer or Hangup, or a
    function of params and a function that sends notifications."""

    def __init__(self, path, **answers):
        self.path = str(path)
        self.answers = {name.replace("__", "."): answer for name, answer in answers.items()}
        self.requests = []
        self.listener = None

    def __enter__(self):
        self.listen()
        return self

    def __exit__(self, *_):
        self.close()

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        lock = threading.Lock()

        def send(message):
            with lock:
                connection.sendall(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

        with connection:
            for line in connection.makefile("rb"):
                request = json.loads(line)
                self.requests.append(request)
                threading.Thread(target=self.answer, args=(connection, request, send),
                                 daemon=True).start()

    def answer(self, connection, request, send):
        number, answer = request["id"], self.answers.get(request["method"])

        def note(**params):
            send({"method": "job.progress", "params": {"id": number, **params}})

        try:
            if callable(answer):
                answer = answer(request["params"], note)
            if isinstance(answer, (Answer, Hangup)):
                raise answer
            if answer is None:
                raise Answer(-32601, f"no method '{request['method']}'", "unsupported")
            send({"id": number, "result": answer})
        except Answer as error:
            send({"id": number, "error": error.error})
        except Hangup:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # nobody listens any more
            pass

    def params(self, method):
        return [request["params"] for request in self.requests if request["method"] == method]


def environment(path, **more):
    keep = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")
            if name in os.environ}
    return {**keep, "DBGUEST_SOCKET": str(path), "TZ": "UTC", "TERM": "xterm",
            "LANG": "C.UTF-8", "HOME": "/nonexistent", **more}


def run(path, *words, stdin="", **more):
    """dbguestctl in pipes."""
    return subprocess.run([PROGRAM, *words], input=stdin, capture_output=True, text=True,
                          timeout=30, env=environment(path, **more), check=False)


class Terminal:
    """dbguestctl on a terminal of so many columns."""

    def __init__(self, path, *words, columns=100, **more):
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen([PROGRAM, *words], stdin=side, stdout=side, stderr=side,
                                        env=environment(path, **more), start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(side)
        self.raw = ""

    def read(self, until=None, timeout=15):
        """Until a text has come, or the end."""
        deadline = time.monotonic() + timeout
        while until is None or until not in self.raw:
            left = deadline - time.monotonic()
            assert left > 0, f"no {until!r} in {self.raw!r}"
            if not select.select([self.main], [], [], left)[0]:
                continue
            try:
                data = os.read(self.main, 65536)
            except OSError:  # how a terminal says that nobody is left
                data = b""
            if not data:
                break
            self.raw += data.decode()
        return self.raw

    def type(self, text):
        os.write(self.main, text.encode())

    def end(self):
        self.read()
        os.close(self.main)
        return self.process.wait(timeout=15)

    @property
    def text(self):
        """What stands on the screen at the end: without colours, lines as they were last."""
        plain = re.sub(r"\033\[[0-9]*m", "", self.raw).replace("\r\n", "\n")
        lines = [line.rpartition("\r")[2].replace("\033[K", "") for line in plain.split("\n")]
        return "\n".join(lines)


def screen(path, *words, columns=100, **more):
    terminal = Terminal(path, *words, columns=columns, **more)
    code = terminal.end()
    return code, terminal.text
