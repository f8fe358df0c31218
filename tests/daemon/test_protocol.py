"""What the socket answers to good and to bad requests."""

import pathlib

import pytest
from client import PING, Failure, error_of


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


def test_discovery_tells_every_method(client):
    document = client.call("rpc.discover")
    names = {method["name"] for method in document["methods"]}
    assert {"agent.ping", "instance.upgrade", "job.wait", "rpc.discover"} <= names
