"""dbguestctl against a stub: what it asks at a terminal, and what it sends."""
import json
import re

import pytest

from cli_samples import GIB
from cli_stub import Answer, Stub, Terminal, run


# --- what is sent ---

def test_options_become_params(path):
    with Stub(path, instance__create={"job": "j1", "instance": "main", "datastore": "postgresql",
                                      "version": "15.18", "port": 5432}) as stub:
        done = run(path, "instance", "create", "main", "postgresql", "15.18", "--port=5432",
                   "--settings", "max_connections=200", "--settings", "work_mem=8MB",
                   "--settings", '{"fsync":null}', "--databases", "shop", "--databases",
                   "name=b,encoding=UTF8", "--no-queue", "--deadline-s", "60")
    assert done.stdout == "main runs postgresql 15.18 on port 5432\n"
    params = stub.params("instance.create")[0]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                        params.pop("idempotency_key"))
    assert params == {"instance": "main", "datastore": "postgresql", "version": "15.18",
                      "port": 5432, "settings": {"max_connections": 200, "work_mem": "8MB",
                                                 "fsync": None},
                      "databases": [{"name": "shop"}, {"name": "b", "encoding": "UTF8"}],
                      "queue": False, "deadline_s": 60}


def test_secrets_come_from_a_file_or_standard_input(path, tmp_path):
    users = tmp_path / "users.json"
    users.write_text('[{"name":"a","password":"top"},{"name":"b","password":"top"}]')
    with Stub(path, user__create={"job": "j1", "results": [{}, {}]}) as stub:
        done = run(path, "user", "create", "main", "--users", f"@{users}")
        run(path, "user", "create", "main", "--users", "-", stdin=users.read_text())
        run(path, "user", "create", "main", "anna", "--password-stdin", stdin="s3cret\nmore\n")
    assert done.stdout == "user create of main: 2 done\n"
    assert stub.params("user.create")[0]["users"] == stub.params("user.create")[1]["users"]
    assert stub.params("user.create")[2]["password"] == "s3cret"


def test_success_is_one_sentence_and_quiet_drops_it(path):
    with Stub(path, user__create={"job": "j1", "name": "anna"},
              user__drop={"job": "j2", "name": "anna"}):
        words = ["user", "create", "main", "anna", "--password-stdin", "--databases", "shop",
                 "--access", "write"]
        assert run(path, *words, stdin="x\n").stdout == "user 'anna' of main can write to shop\n"
        assert run(path, *words[:5], stdin="x\n").stdout == "user 'anna' of main is there\n"
        assert run(path, *words, "--quiet", stdin="x\n").stdout == ""
        assert run(path, "user", "drop", "main", "--", "--odd").stdout == \
            "user 'anna' of main is dropped\n"


@pytest.mark.parametrize("words, result, said", [
    (("instance", "configure", "main", "--settings", "a=1"),
     {"instance": "main", "restart_needed": []}, "main is configured\n"),
    (("instance", "configure", "main", "--settings", "a=1"),
     {"instance": "main", "restart_needed": ["max_connections", "wal_level"]},
     "main is configured; with the next start: max_connections wal_level\n"
     "to have it now: dbguestctl instance restart main\n"),
    (("user", "rename", "main", "anna", "anne"), {"name": "anne"},
     "user 'anna' of main is 'anne' now\n"),
    (("root", "disable", "main"), {"name": "root", "left_behind": ["shop", "role app"]},
     "'root' of main may not log in; it owns shop role app\n"),
    (("root", "disable", "main"), {"name": "root", "left_behind": []},
     "'root' of main may not log in\n"),
])
def test_success_says_what_is_left_to_do(path, words, result, said):
    with Stub(path, **{f"{words[0]}__{words[1].replace('-', '_')}": {"job": "j1", **result}}):
        assert run(path, *words).stdout == said


@pytest.mark.parametrize("instance, said", [
    ("main", "; next: dbguestctl instance check-upgrade main 7.2\n"), (None, "\n")])
def test_pulled_version_names_the_instance_to_upgrade(path, instance, said):
    row = {"job": "j1", "datastore": "redis", "version": "7.2", "instance": instance}
    with Stub(path, version__pull=row):
        done = run(path, "version", "pull", "redis", "apt:sid")
    assert re.fullmatch(r"redis 7\.2 is present after [\d.]+ s" + re.escape(said), done.stdout)


def test_detach_names_the_job(path):
    with Stub(path, instance__start={"job": "j9", "state": "running"}) as stub:
        done = run(path, "instance", "start", "main", "--detach")
    assert done.stdout == "j9 is running; next: dbguestctl job wait j9\n"
    assert stub.params("instance.start")[0]["detach"] is True


def test_call_takes_any_method(path):
    with Stub(path, no__such={"a": [1]}) as stub:
        done = run(path, "call", "no.such", '{"x":1}')
    assert json.loads(done.stdout) == {"a": [1]} and stub.params("no.such") == [{"x": 1}]


def test_call_ends_as_its_error_says(path, tmp_path):
    params = tmp_path / "params"
    params.write_text('{"instance":"main","name":"anna","password":"top"}')
    with Stub(path, user__set_password=Answer(3, "user 'anna' does not exist", "not_found")) as stub:
        from_file = run(path, "call", "user.set_password", f"@{params}")
        piped = run(path, "call", "user.set_password", "-", "--json", stdin=params.read_text())
    assert from_file.returncode == piped.returncode == 3
    assert from_file.stderr == "error: user 'anna' does not exist [not_found]\n"
    assert json.loads(piped.stderr)["error"]["data"]["reason"] == "not_found"
    assert [sent["password"] for sent in stub.params("user.set_password")] == ["top", "top"]
    assert run(path, "call", "job.list", "[1]").returncode == 2
    assert run(path, "call").returncode == 2


# --- prompts ---

def test_password_is_asked_twice_without_echo(path):
    with Stub(path, user__set_password={"job": "j1", "name": "anna"}) as stub:
        terminal = Terminal(path, "user", "set-password", "main", "anna")
        terminal.read("Password for anna: ")
        terminal.type("s3cret\n")
        terminal.read("Once more: ")
        terminal.type("s3cret\n")
        assert terminal.end() == 0
    assert "s3cret" not in terminal.raw
    assert stub.params("user.set_password")[0]["password"] == "s3cret"
    assert terminal.text.splitlines()[-1] == "user 'anna' of main has a new password"


def test_two_different_passwords_do_nothing(path):
    with Stub(path) as stub:
        terminal = Terminal(path, "user", "set-password", "main", "anna")
        terminal.read("anna: ")
        terminal.type("one\n")
        terminal.read("more: ")
        terminal.type("two\n")
        assert terminal.end() == 2
    assert stub.requests == []


def test_empty_password_lets_root_get_one_that_is_shown_once(path):
    result = {"job": "j1", "name": "root", "enabled": True, "password": "6mXv-qT2p",
              "privileges": "CREATEDB and CREATEROLE"}
    with Stub(path, root__enable=result) as stub:
        terminal = Terminal(path, "root", "enable", "main")
        terminal.read("Password for root (empty: one is made): ")
        terminal.type("\n")
        assert terminal.end() == 0
        piped = run(path, "root", "enable", "main")
    assert "password" not in stub.params("root.enable")[0]
    assert "password, shown only now: 6mXv-qT2p\n" in terminal.text
    assert piped.stdout.splitlines()[-2:] == [
        "'root' of main may log in: CREATEDB and CREATEROLE",
        "afterwards: dbguestctl root disable main"]


@pytest.mark.parametrize("typed, code", [("main", 0), ("mian", 2)])
def test_name_is_typed_again(path, typed, code):
    with Stub(path, instance__delete={"job": "j1", "instance": "main", "freed_bytes": GIB,
                                      "backups": 2}) as stub:
        terminal = Terminal(path, "instance", "delete", "main")
        terminal.read("Its name once more: ")
        terminal.type(typed + "\n")
        assert terminal.end() == code
    assert [params["confirm"] for params in stub.params("instance.delete")] == \
        (["main"] if code == 0 else [])
