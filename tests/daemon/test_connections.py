"""Lines, clients that misbehave, and how many there may be."""

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest
from client import MIB, PING, Client, Failure, error_of


def test_notifications_are_done_without_an_answer(client):
    client.send_bytes(b'{"jsonrpc":"2.0","method":"agent.ping"}\n')
    client.send_bytes(b'{"jsonrpc":"2.0","method":"no.such"}\n\n  \n')
    assert client.raw(PING)["id"] == 1


def test_pipelined_requests_are_all_answered(client):
    count = 3000
    lines = "".join(PING.replace('"id":1', f'"id":{i}') + "\n" for i in range(count))
    threading.Thread(target=client.send_bytes, args=(lines.encode(),)).start()
    assert [client.read()["id"] for _ in range(count)] == list(range(count))


def test_a_request_may_come_byte_by_byte(client):
    for byte in (PING + "\n" + PING + "\n").encode():
        client.send_bytes(bytes([byte]))
    assert client.read()["id"] == client.read()["id"] == 1


def test_who_sends_no_more_is_still_answered(client):
    client.send("instance.list")
    client.sock.shutdown(socket.SHUT_WR)
    assert client.answer()["result"] == {"instances": [], "next_marker": None}
    assert client.read_line() is None


def test_a_line_over_the_limit_ends_the_connection(daemon, client):
    try:
        client.send_bytes(b'{"a":"' + b"x" * 2 * MIB + b'"}\n')
    except BrokenPipeError:
        pass  # it was refused before all of it was sent
    error = error_of(client.read())
    assert error["data"]["reason"] == "invalid" and str(MIB) in error["message"]
    assert client.read_line() is None
    with daemon.client() as other:
        assert other.call("agent.ping")


def test_a_line_that_never_ends_costs_no_more_than_the_limit(daemon, client):
    before = daemon.resident_bytes()
    most = 0
    try:
        for _ in range(64):
            client.send_bytes(b"x" * MIB)
            most = max(most, daemon.resident_bytes() - before)
    except OSError:
        pass
    assert most < 4 * MIB
    with daemon.client() as other:
        assert other.call("agent.ping")


def test_a_request_of_nearly_the_limit_is_read(client):
    space = " " * (MIB - len(PING))
    assert client.raw(PING[:1] + space + PING[1:])["id"] == 1


def test_a_client_that_never_reads_does_no_harm(daemon, client):
    with daemon.client(timeout=0.5) as deaf:
        line = ('{"jsonrpc":"2.0","id":1,"method":"agent.metrics"}\n' * 100).encode()
        with pytest.raises((TimeoutError, OSError)):
            for _ in range(10000):
                deaf.send_bytes(line)
        assert daemon.resident_bytes() < 30 * MIB
        began = time.monotonic()
        assert client.call("agent.ping")
        assert time.monotonic() - began < 1


def test_who_sends_much_at_once_has_one_turn_like_others(daemon, client):
    floods = [daemon.client() for _ in range(8)]
    client.call("agent.ping")
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        for flood in floods:
            flood.send_bytes((PING.encode() + b"\n") * 1500)
        client.send("agent.ping")
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    mine = client.answer()["result"]["time"]
    times = [flood.read()["result"]["time"] for flood in floods for _ in range(1500)]
    for flood in floods:
        flood.close()
    assert sum(time > mine for time in times) > len(times) / 2


def test_a_client_that_goes_in_the_middle_does_no_harm(daemon, client):
    for text in PING[:20], PING + "\n" + PING[:7], PING * 3 + "\n":
        other = daemon.client()
        other.send_bytes(text.encode())
        other.close()
    assert client.call("agent.ping")


def test_a_thousand_connections(daemon):
    clients = [daemon.client() for _ in range(1000)]
    for client in clients:
        client.send("agent.ping")
    assert all("result" in client.answer() for client in clients)
    for client in clients:
        client.close()
    with daemon.client() as client:
        assert client.call("agent.ping")
    assert daemon.resident_bytes() < 10 * MIB


def test_one_connection_too_many_is_told_so(daemon_not_started):
    daemon_not_started.write_config(limits={"connections": 3})
    daemon = daemon_not_started.start()
    time.sleep(0.1)  # the start's own probe has gone
    clients = [daemon.client() for _ in range(3)]
    assert all(client.call("agent.ping") for client in clients)
    with daemon.client() as another:
        assert error_of(another.read())["data"]["reason"] == "busy"
        assert another.read_line() is None
    clients.pop().close()
    time.sleep(0.1)
    with daemon.client() as another:
        assert another.call("agent.ping")


def test_more_requests_than_may_be_in_flight_wait_and_are_answered(daemon_not_started):
    daemon_not_started.write_config(limits={"requests_in_flight": 4})
    daemon = daemon_not_started.start()
    daemon.make_instance()
    with daemon.client() as client:
        sent = [client.send("user.list", {"instance": "main"}) for _ in range(20)]
        assert sorted(client.answer()["id"] for _ in sent) == sent


def test_who_is_not_an_operator_is_denied(daemon_not_started):
    daemon_not_started.write_config(daemon={})
    daemon_not_started.config.write_text(
        daemon_not_started.config.read_text() + "socket_mode = 0666\n"
    )
    daemon = daemon_not_started.start()
    daemon.folder.chmod(0o755)
    script = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})\n"
        "from client import Client\n"
        f"print(Client({str(daemon.socket)!r}).raw({PING!r}))"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", script], capture_output=True, text=True, check=True
    )
    assert "'denied'" in done.stdout and "uid 65534 (nobody) may not call agent.ping" in done.stdout


def test_a_read_dies_with_its_asker(daemon, client):
    daemon.make_instance()
    reader = daemon.state / "instances/reader"
    client.send("user.list", {"instance": "main", "marker": "slow"})
    while not reader.exists() or not reader.read_text():
        time.sleep(0.01)
    process = pathlib.Path(f"/proc/{reader.read_text()}")
    assert process.exists()
    client.close()
    deadline = time.monotonic() + 5
    while process.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_read_has_a_deadline(daemon, client):
    daemon.make_instance()
    with pytest.raises(Failure) as failed:
        client.call("user.list", instance="main", marker="slow", deadline_s=1)
    assert failed.value.reason == "deadline"
