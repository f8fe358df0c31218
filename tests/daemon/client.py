"""A client of the daemon's socket: calls, pipelined calls, raw lines."""

import itertools
import json
import socket

PING = '{"jsonrpc":"2.0","id":1,"method":"agent.ping"}'
MIB = 1024 * 1024


class Failure(Exception):
    """The error that a call was answered with."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.error = error
        self.code = error["code"]
        self.reason = error["data"]["reason"]
        self.hint = error["data"]["hint"]
        self.data = error["data"]


def error_of(answer):
    assert set(answer) == {"jsonrpc", "id", "error"}
    assert set(answer["error"]) == {"code", "message", "data"}
    assert {"reason", "native", "retryable", "hint", "job"} <= set(answer["error"]["data"])
    return answer["error"]


class Client:
    def __init__(self, path, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(str(path))
        self.buffer = b""
        self.ids = itertools.count(1)
        self.notes = []  # (method, params) that came while waiting for answers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send_bytes(self, data):
        self.sock.sendall(data)

    def send(self, method, params=None, **more):
        """Sends a request and returns its id."""
        request = {"jsonrpc": "2.0", "id": next(self.ids), "method": method}
        if params is not None:
            request["params"] = params
        request.update(more)
        self.send_bytes(json.dumps(request).encode() + b"\n")
        return request["id"]

    def read_line(self):
        """The next line without its end; None when the daemon has closed."""
        while b"\n" not in self.buffer:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def read(self):
        line = self.read_line()
        return None if line is None else json.loads(line)

    def answer(self, wanted=None):
        """The next answer (to the request of that id); notifications are kept on the way."""
        while True:
            message = self.read()
            if message is None:
                raise ConnectionError("the daemon closed the connection")
            if "method" in message:
                self.notes.append((message["method"], message["params"]))
            elif wanted is None or message["id"] == wanted:
                return message

    def raw(self, line):
        """Sends a line as it is and returns the answer to it."""
        if isinstance(line, str):
            line = line.encode()
        self.send_bytes(line + b"\n")
        return self.answer()

    def note(self, kind=None):
        """The next notification, of that method."""
        while True:
            for i, (method, params) in enumerate(self.notes):
                if kind is None or method == kind:
                    del self.notes[i]
                    return params
            message = self.read()
            if message is None:
                raise ConnectionError("the daemon closed the connection")
            if "method" in message:
                self.notes.append((message["method"], message["params"]))

    def call(self, method, /, **params):
        answer = self.answer(self.send(method, params))
        if "error" in answer:
            raise Failure(answer["error"])
        return answer["result"]
