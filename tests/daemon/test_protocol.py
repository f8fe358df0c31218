"""What the socket answers to good and to bad input."""

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest
from client import Client, Failure

PING = '{"jsonrpc":"2.0","id":1,"method":"agent.ping"}'
MIB = 1024 * 1024


def error_of(answer):
    assert set(answer) == {"jsonrpc", "id", "error"}
    assert set(answer["error"]) == {"code", "message", "data"}
    assert {"reason", "native", "retryable", "hint", "job"} <= set(answer["error"]["data"])
    return answer["error"]


def test_ping_answers_with_time_and_boot(client):
    result = client.call("agent.ping")
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert result["boot_id"] == boot_id
    assert result["time"].endswith("Z") and len(result["time"]) == 24


@pytest.mark.parametrize(
    "identity",
    ["1", "-7", "0.50", "18446744073709551616", "1e999", '""', '"a\\u00e9\\/"', "null", '"é"'],
)
def test_an_id_of_any_legal_kind_comes_back_byte_for_byte(client, identity):
    for method in "agent.ping", "agent.metrics", "no.such":
        line = f'{{"jsonrpc":"2.0","id":{identity},"method":"{method}"}}'.encode()
        client.send_bytes(line + b"\n")
        assert f'"id":{identity},'.encode() in client.read_line()


@pytest.mark.parametrize("identity", ["{}", "[1]", "true", "false"])
def test_an_id_of_another_kind_is_refused(client, identity):
    answer = client.raw(f'{{"jsonrpc":"2.0","id":{identity},"method":"agent.ping"}}')
    assert answer["id"] is None
    assert error_of(answer)["code"] == -32600


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "{",
        '{"jsonrpc":"2.0","id":1,"method":"agent.ping"',
        '{"jsonrpc":"2.0","id":1,"method":"agent.ping"}}',
        "{'jsonrpc':'2.0'}",
        '{"jsonrpc":"2.0","id":01,"method":"agent.ping"}',
        '{"a":NaN}',
        '"agent.ping"',
        "7",
    ],
)
def test_what_is_no_json_object_is_a_parse_error(client, line):
    error = error_of(client.raw(line))
    assert (error["code"], error["data"]["reason"]) == (-32700, "invalid")
    assert client.call("agent.ping")


@pytest.mark.parametrize(
    "data", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
)
def test_what_is_no_utf8_is_a_parse_error(client, data):
    line = b'{"jsonrpc":"2.0","id":1,"method":"agent.ping","params":{"a":"' + data + b'"}}'
    assert error_of(client.raw(line))["code"] == -32700
    assert client.call("agent.ping")


def test_a_nul_byte_is_no_json(client):
    assert error_of(client.raw(PING.encode() + b"\0"))["code"] == -32700
    assert error_of(client.raw(PING.replace("agent", "age\0nt").encode()))["code"] == -32700


@pytest.mark.parametrize(
    "params",
    [
        '{"a":"\\u0000"}',
        '{"instance":"main","name":"a\\u0000b"}',
        '{"a":"\\ud800"}',
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":1}',
        '{"a":{"b":1,"c":[{"d":1,"d":2}]}}',
        '{"a":9223372036854775808}',
        '{"a":1e400}',
        '{"a":' + "9" * 1000 + "}",
    ],
)
def test_what_json_c_would_let_through_is_refused_with_its_id(client, params):
    answer = client.raw(f'{{"jsonrpc":"2.0","id":9,"method":"user.create","params":{params}}}')
    assert answer["id"] == 9
    assert (error_of(answer)["code"], error_of(answer)["data"]["reason"]) == (-32600, "invalid")


def test_ten_thousand_brackets_are_too_deep(client):
    for opening, closing in ("[", "]"), ('{"a":', "}"):
        nested = opening * 10000 + "1" + closing * 10000
        line = f'{{"jsonrpc":"2.0","id":1,"method":"agent.ping","params":{{"a":{nested}}}}}'
        assert error_of(client.raw(line))["code"] == -32600
    assert client.call("agent.ping")


def test_there_are_no_batches(client):
    error = error_of(client.raw(f"[{PING},{PING}]"))
    assert error["code"] == -32600 and "batch" in error["message"]


@pytest.mark.parametrize(
    "line",
    [
        '{"id":1,"method":"agent.ping"}',
        '{"jsonrpc":"1.0","id":1,"method":"agent.ping"}',
        '{"jsonrpc":"2.0","id":1}',
        '{"jsonrpc":"2.0","id":1,"method":7}',
        '{"jsonrpc":"2.0","id":1,"method":"agent.ping","parms":{}}',
    ],
)
def test_what_is_no_request_is_refused(client, line):
    assert error_of(client.raw(line))["code"] == -32600


def test_an_unknown_method_is_told_the_nearest_one(client):
    error = error_of(client.answer(client.send("instance.lst")))
    assert (error["code"], error["data"]["reason"]) == (-32601, "unsupported")
    assert "instance.list" in error["data"]["hint"]
    assert error_of(client.answer(client.send("x" * 100000)))["code"] == -32601


@pytest.mark.parametrize(
    "method, params, named",
    [
        ("user.list", {}, "instance"),
        ("user.list", {"instance": 7}, "instance"),
        ("user.list", {"instance": "Main"}, "instance"),
        ("user.list", {"instance": "main", "limit": 0}, "limit"),
        ("user.list", {"instance": "main", "limit": "many"}, "limit"),
        ("user.list", {"instance": "main", "lmit": 1}, "lmit"),
        ("agent.ping", {"loud": True}, "loud"),
        ("instance.delete", {"instance": "main", "confirm": "mian"}, "confirm"),
        ("job.show", {"job": "184"}, "job"),
        ("agent.subscribe", {"kinds": ["weather"]}, "kinds"),
    ],
)
def test_wrong_parameters_are_named(client, method, params, named):
    error = error_of(client.answer(client.send(method, params)))
    assert (error["code"], error["data"]["reason"]) == (-32602, "invalid")
    assert named in error["message"]


def test_parameters_go_by_name(client):
    assert error_of(client.answer(client.send("agent.ping", [1])))["code"] == -32602


def test_an_instance_that_is_not_there_is_told_the_nearest_one(daemon, client):
    daemon.make_instance("main")
    with pytest.raises(Failure) as failed:
        client.call("user.list", instance="mian")
    assert failed.value.reason == "not_found" and failed.value.code == 3
    assert "'main'" in failed.value.hint
    with pytest.raises(Failure) as failed:
        client.call("instance.create", instance="main", datastore="played", version="1")
    assert failed.value.reason == "exists"


def test_what_a_datastore_cannot_do_is_unsupported_before_anything_starts(daemon, client):
    daemon.make_instance("main")
    for method, params in (
        ("root.status", {"instance": "main"}),
        ("version.list", {"datastore": "oracle"}),
    ):
        with pytest.raises(Failure) as failed:
            client.call(method, **params)
        assert failed.value.reason == "unsupported" and failed.value.code == 6


def test_an_engines_error_comes_through(daemon, client):
    daemon.make_instance("main")
    with pytest.raises(Failure) as failed:
        client.call("instance.log", instance="main")
    assert failed.value.reason == "engine" and failed.value.code == 11
    assert failed.value.data["native"] == "FATAL"


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


def test_discovery_tells_every_method(client):
    document = client.call("rpc.discover")
    names = {method["name"] for method in document["methods"]}
    assert {"agent.ping", "instance.upgrade", "job.wait", "rpc.discover"} <= names


def test_info_and_metrics_tell_of_the_daemon(daemon, client):
    daemon.make_instance()
    info = client.call("agent.info")
    assert info["instances"] == 1 and info["datastores"][0]["name"] == "played"
    text = client.call("agent.metrics")["text"]
    assert text.endswith("# EOF\n")
    assert 'dbguest_jobs{state="ended"} 1' in text
    assert 'dbguest_instance_info{instance="main",datastore="played",status="ACTIVE"} 1' in text


def test_a_second_daemon_is_refused_and_told_by_whom(daemon):
    second = daemon.run_to_end()
    assert second.returncode == 1
    assert f"process {daemon.process.pid}" in second.stderr
    assert str(daemon.state) in second.stderr
    with daemon.client() as client:
        assert client.call("agent.ping")


def test_a_second_daemon_on_the_same_socket_is_refused(daemon):
    text = daemon.config.read_text()
    other = text.replace(f"state_dir = {daemon.state}", f"state_dir = {daemon.folder}/other")
    daemon.config.write_text(other)
    second = daemon.run_to_end()
    assert second.returncode == 1
    assert f"process {daemon.process.pid}" in second.stderr and str(daemon.socket) in second.stderr


def test_the_socket_of_a_dead_daemon_is_replaced(daemon):
    daemon.kill()
    assert daemon.socket.exists()
    with daemon.start().client() as client:
        assert client.call("agent.ping")


@pytest.mark.parametrize(
    "text, message",
    [
        ("[daemon]\n\nsokcet = /x\n", ":3: [daemon] knows no 'sokcet'"),
        ("[limits]\nconnections = lots\n", ":2: connections must be a number"),
        ("[limits\n", ":1: "),
        ("[daemon]\nstate_dir = relative\n", ":2: state_dir must be an absolute path"),
    ],
)
def test_an_error_in_the_configuration_is_told_with_its_line(daemon_not_started, text, message):
    daemon_not_started.write_config(text)
    for more in [], ["--check"]:
        ended = daemon_not_started.run_to_end(*more)
        assert ended.returncode == 2
        assert f"{daemon_not_started.config}{message}" in ended.stderr


def test_a_hangup_reads_the_configuration_again(daemon, client):
    daemon.write_config(limits={"depth": 5})
    daemon.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 5
    while "depth is 5, was 64" not in daemon.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    deep = '{"jsonrpc":"2.0","id":1,"method":"agent.ping","params":{"a":[[[[1]]]]}}'
    assert error_of(client.raw(deep))["code"] == -32600

    daemon.write_config("[limits]\ndepth = shallow\n")
    daemon.process.send_signal(signal.SIGHUP)
    while "the configuration stays as it was" not in daemon.log.read_text():
        time.sleep(0.01)
    assert client.call("agent.ping")


def test_it_stops_quickly_and_says_goodbye(daemon, client):
    client.call("agent.ping")
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 1
    with pytest.raises(OSError):
        Client(daemon.socket)


def test_at_rest_it_is_small_and_sleeps(daemon, client):
    client.call("agent.ping")
    pid = daemon.process.pid
    threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    assert len(threads) <= 2

    def switches():
        status = [(path / "status").read_text() for path in threads]
        return sum(int(text.split("voluntary_ctxt_switches:")[1].split()[0]) for text in status)

    time.sleep(0.2)
    before = switches()
    time.sleep(2)
    assert switches() == before
