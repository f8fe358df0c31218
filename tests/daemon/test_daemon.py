"""The daemon itself: its start, its configuration, its end, and what it takes at rest."""

import pathlib
import signal
import time

import pytest
from client import Client, error_of


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
