"""dbguestctl against a stub: what it says when something is wrong, and what it ends with."""
import json
import re

import pytest

from cli_stub import TOP, Answer, Stub, run


def reasons():
    """[(exit code, reason)] as documented."""
    page = (TOP / "docs/protocol.md").read_text()
    return [(int(code), reason)
            for reason, code in re.findall(r"^\| `(\w+)` \| (\d+) \|", page, re.M)]


@pytest.mark.parametrize("code, reason", reasons())
def test_exit_code_is_the_reason(path, code, reason):
    with Stub(path, instance__show=Answer(code, "no", reason)):
        done = run(path, "instance", "show", "main")
    assert done.returncode == code and done.stdout == ""
    assert done.stderr == f"error: no [{reason}]\n"


def test_error_has_engine_and_hint(path):
    error = Answer(11, "cannot configure 'main'; nothing was changed", "engine",
                   native="900000 is outside\nthe valid range", hint="say less")
    with Stub(path, instance__configure=error):
        done = run(path, "instance", "configure", "main", "--settings", "max_connections=900000")
        as_json = run(path, "instance", "configure", "main", "--settings", "a=1", "--json")
    assert done.stderr == """\
error: cannot configure 'main'; nothing was changed [engine]
 engine: 900000 is outside
         the valid range
   hint: say less
"""
    assert json.loads(as_json.stderr)["error"]["data"]["reason"] == "engine"


def test_partial_names_those_that_failed(path):
    results = [{"name": "a", "outcome": "ok"},
               {"name": "b", "outcome": "exists",
                "error": {"reason": "exists", "message": "user 'b' exists"}}]
    with Stub(path, user__drop=Answer(19, "1 of 2 failed", "partial", results=results)):
        done = run(path, "user", "drop", "main", "--users", "a", "--users", "b")
    assert "b: user 'b' exists [exists]" in done.stderr and done.returncode == 19


def test_no_daemon_is_20(path):
    done = run(path, "instance", "list")
    assert done.returncode == 20
    assert done.stderr.startswith(f"error: no dbguestd at {path}: no such file or directory\n")
    assert "   hint: systemctl start dbguestd" in done.stderr


@pytest.mark.parametrize("words, said", [
    (("instance", "lst"), "did you mean 'list'?"),
    (("instanc", "list"), "did you mean 'instance'?"),
    (("instance", "stop", "main", "--mod", "clean"), "did you mean --mode?"),
    (("instance", "show"), "INSTANCE is missing"),
    (("instance", "configure", "main"), "--settings is missing"),
    (("instance", "show", "main", "more"), "one argument too many"),
    (("instance", "log", "main", "--lines", "x"), "wants a number"),
    (("user", "create", "main", "anna"), "--password-stdin is missing"),
    (("user", "create", "main", "anna", "--password", "x"), "a command line is seen by others"),
    (("user", "create", "main", "--users", '{"name":"a","password":"b"}'), "holds a secret"),
    (("user", "create", "main", "--users", "name=a,password=b"), "holds a secret"),
    (("call", "user.set_password", '{"password":"x"}'), "holds a secret"),
    (("instance", "delete", "main"), "--confirm main"),
    (("database", "drop", "main", "shop"), "--confirm shop"),
    (("instance", "check_upgrade", "main"), "did you mean 'check-upgrade'?"),
])
def test_wrong_usage_is_2_and_says_what_is_right(path, words, said):
    done = run(path, *words)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""
