"""dbguestctl against a stub: what it shows, asks, sends and ends with."""
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time

import pytest

from cli_stub import PROGRAM, Answer, Hangup, Stub, Terminal, environment, run, screen

GIB, MIB = 1 << 30, 1 << 20
INSTANCES = [
    {"instance": "main", "datastore": "postgresql", "version": "15.18+deb12u1",
     "status": "ACTIVE", "up_s": 1036800, "size_bytes": GIB, "clients": "14/200",
     "backup_age_s": 18000, "attention": []},
    {"instance": "shop", "datastore": "mariadb", "version": "10.11.18+deb12u1",
     "status": "RESTART_REQUIRED", "up_s": 259200, "size_bytes": 655 * MIB, "clients": "9/151",
     "backup_age_s": 93600,
     "attention": [{"reason": "restart", "message": "performance_schema waits for a restart",
                    "hint": "dbguestctl instance restart shop"}]},
    {"instance": "cache", "datastore": "redis", "version": "7.0.15+deb12u7", "status": "ACTIVE",
     "up_s": 3542400, "size_bytes": 512 * MIB, "clients": "3/10000", "backup_age_s": None},
]
LIST = {"instances": INSTANCES, "next_marker": None}
STEPS = [
    {"step": "check", "started": "2026-11-21T03:42:58.110Z", "took_s": 0.41,
     "what": "0 blockers, 0 warnings, 1 note", "undone": False},
    {"step": "settle", "started": "2026-11-21T03:42:58.520Z", "took_s": 1.62,
     "what": "206 MiB written, 8 MiB left for the stop", "undone": False},
    {"step": "stop", "started": "2026-11-21T03:43:00.140Z", "took_s": 0.07, "what": "",
     "undone": False},
]
JOB = {"job": "j184", "method": "instance.upgrade", "object": "main", "state": "ended",
       "outcome": "ok", "took_s": 2.3, "asked_at": "2026-11-21T03:42:58.104Z",
       "asked_by": "uid 0 (root)", "recovered_at": None, "steps": STEPS,
       "result": {"outage_s": 0.19, "expected_outage_s": 0.2}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dbguest.sock"


# --- tables ---

def test_list_is_a_table_on_a_terminal(path):
    with Stub(path, instance__list=LIST):
        code, text = screen(path, "instance", "list")
    assert code == 0
    assert text == """\
  INSTANCE  DATASTORE   VERSION           STATUS              UP     SIZE  CLIENTS  BACKUP
  main      postgresql  15.18+deb12u1     ACTIVE            12 d  1.0 GiB   14/200     5 h
! shop      mariadb     10.11.18+deb12u1  RESTART_REQUIRED   3 d  655 MiB    9/151    26 h
  cache     redis       7.0.15+deb12u7    ACTIVE            41 d  512 MiB  3/10000       -
! shop: performance_schema waits for a restart: dbguestctl instance restart shop
"""


def test_narrow_table_hides_columns_and_says_so(path):
    with Stub(path, instance__list=LIST):
        _, text = screen(path, "instance", "list", columns=80)
        _, wide = screen(path, "instance", "list", "--wide", columns=80)
    assert text.splitlines()[0].split() == ["INSTANCE", "DATASTORE", "VERSION", "STATUS", "SIZE",
                                            "BACKUP"]
    assert text.splitlines()[-1] == "2 columns hidden; --wide"
    assert max(map(len, text.splitlines()[:4])) <= 80
    assert "CLIENTS" in wide


def test_list_in_a_pipe_is_tabs_and_full_values(path):
    with Stub(path, instance__list=LIST):
        done = run(path, "instance", "list")
    lines = done.stdout.splitlines()
    assert lines[0].split("\t") == ["INSTANCE", "DATASTORE", "VERSION", "STATUS", "UP", "SIZE",
                                    "CLIENTS", "BACKUP"]
    assert lines[1].split("\t")[5] == str(GIB)
    assert lines[3].split("\t")[7] == "-"
    assert len(lines) == 4 and done.stderr == ""


def test_colour_is_on_a_terminal_only_and_can_be_off(path):
    with Stub(path, instance__list=LIST):
        terminal = Terminal(path, "instance", "list")
        terminal.end()
        assert "\033[32mACTIVE\033[0m" in terminal.raw
        for words, more in [(("--no-color",), {}), ((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"})]:
            terminal = Terminal(path, "instance", "list", *words, **more)
            terminal.end()
            assert "\033" not in terminal.raw


def test_unprintable_bytes_do_not_reach_the_terminal(path):
    evil = {"name": "a\033[2J\n\tb", "owner": "ü", "size_bytes": 1, "encoding": "UTF8",
            "locale": "C"}
    with Stub(path, database__list={"databases": [evil], "next_marker": None}):
        _, text = screen(path, "database", "list", "main")
        done = run(path, "database", "list", "main")
    assert r"a\x1b[2J\x0a\x09b" in text and "ü" in text
    assert done.stdout.splitlines()[1].split("\t")[0] == r"a\x1b[2J\x0a\x09b"


def test_all_pages_are_fetched(path):
    def pages(params, _):
        if params.get("marker") == "b":
            return {"users": [{"name": "c"}], "next_marker": None}
        return {"users": [{"name": "a"}, {"name": "b"}], "next_marker": "b"}

    with Stub(path, user__list=pages):
        done = run(path, "user", "list", "main", "--json")
        limited = run(path, "user", "list", "main", "--limit", "2")
    assert json.loads(done.stdout) == {"users": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
                                       "next_marker": None}
    assert len(limited.stdout.splitlines()) == 3
    assert limited.stderr == "there are more: --marker b\n"


def test_free_text_is_cut_and_names_are_not(path):
    source = "oci:registry.example.org/redis@sha256:" + "5be1" * 16
    row = {"datastore": "postgresql", "version": "15.18+deb12u1", "size_bytes": 443 * MIB,
           "age_s": 3542400, "used_by": "main, 2 backups", "source": source}
    with Stub(path, version__list={"versions": [row], "next_marker": None}):
        _, text = screen(path, "version", "list", columns=100)
    assert text.splitlines()[1].endswith("…")
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "15.18+deb12u1" in text


def test_jobs_tell_outcome_and_what_they_wait_for(path):
    jobs = [{"job": "j188", "method": "instance.restart", "object": "shop", "state": "queued",
             "age_s": 3, "position": 1, "waiting_for": ["j187"]},
            {"job": "j185", "method": "instance.upgrade", "object": "main", "state": "ended",
             "outcome": "rolled_back", "age_s": 660, "took_s": 0.9, "note": "did not start"}]
    with Stub(path, job__list={"jobs": jobs, "next_marker": None}):
        _, text = screen(path, "job", "list")
    assert text.splitlines()[1].split("  ")[-1] == "place 1, waits for j187"
    assert "rolled_back" in text and "11 min  0.9 s  did not start" in text


# --- one object ---

def test_instance_show(path):
    more = {"wanted": "running", "port": 5432, "socket": "/run/dbguest/main", "databases": 3,
            "free_bytes": 18.2 * GIB, "position": "0/5A000148", "generation": 3,
            "generation_at": "2026-11-09T04:10:22.000Z", "newer": "15.20+deb12u1",
            "settings": {"max_connections": 200, "work_mem": "8MB"},
            "by_memory": {"shared_buffers": "512MB"}, "digest": "sha256:9c41d0e7" + "0" * 56,
            "backup": "main-20261121-034102"}
    with Stub(path, instance__show={**INSTANCES[0], **more}):
        code, text = screen(path, "instance", "show", "main")
    assert code == 0
    assert text.splitlines()[:4] == [
        "main: ACTIVE, postgresql 15.18+deb12u1, up 12 d",
        "  wanted       running, also after a reboot",
        "  version      15.18+deb12u1, sha256:9c41d0e7…, generation 3 since 2026-11-09 04:10:22 UTC",
        "  newer        15.20+deb12u1 is present: dbguestctl instance check-upgrade main"]
    assert "max_connections=200 work_mem=8MB" in text
    assert "1.0 GiB in 3 databases; 18.2 GiB free" in text
    assert "14 of 200" in text


def test_job_show_tells_the_story(path):
    with Stub(path, job__show=JOB):
        _, text = screen(path, "job", "show", "j184")
    assert text.splitlines()[0] == \
        "j184 instance.upgrade main: ok, outage 0.19 s (0.2 s expected), 2.3 s in all"
    assert "2026-11-21 03:42:58.104 UTC by uid 0 (root)" in text
    assert "  check   03:42:58.110  0.41 s  0 blockers, 0 warnings, 1 note" in text


def test_job_wait_ends_as_the_job_did(path):
    error = {"code": 12, "message": "'main' runs 15.18 as before", "data": {
        "reason": "rolled_back", "cause": {"reason": "engine", "message": "it ended",
                                           "native": "FATAL:  no memory", "step": "start"}}}
    with Stub(path, job__wait={**JOB, "outcome": "rolled_back", "result": None, "error": error}):
        done = run(path, "job", "wait", "j184")
    assert done.returncode == 12
    assert done.stderr.splitlines() == [
        "error: 'main' runs 15.18 as before [rolled_back]",
        "  cause: start: it ended [engine]",
        " engine: FATAL:  no memory"]


def test_check_with_a_blocker_exits_17(path):
    finding = {"severity": "blocker", "reason": "prepared_transaction",
               "message": "shop: 'xa-77', 3 h old", "hint": "end it"}
    with Stub(path, instance__check_upgrade={
            "instance": "main", "ok": False, "version": "17.11", "from_version": "15.20",
            "method": "pg_upgrade --clone", "findings": [finding], "way_back": "until commit",
            "needed_bytes": 400 * MIB, "free_bytes": 18 * GIB, "expected_outage_s": 6}):
        done = run(path, "instance", "check-upgrade", "main", "17.11")
    assert done.returncode == 17
    assert done.stdout.splitlines()[:3] == [
        "main: 15.20 -> 17.11 by pg_upgrade --clone",
        "blocker  prepared_transaction  shop: 'xa-77', 3 h old",
        "         hint: end it"]
    assert done.stderr == "error: 1 blocker keeps 'main' from 17.11 [blocked]\n"


def test_json_is_the_result_as_it_came(path):
    with Stub(path, instance__show=INSTANCES[0]):
        done = run(path, "instance", "show", "main", "--json")
        _, text = screen(path, "instance", "show", "main", "--json")
    assert json.loads(done.stdout) == INSTANCES[0] and done.stdout.count("\n") == 1
    assert json.loads(text) == INSTANCES[0] and text.count("\n") > 5


def test_text_is_printed_as_it_is(path):
    with Stub(path, agent__metrics={"text": "# TYPE x gauge\nx 1\n# EOF\n"}):
        assert run(path, "agent", "metrics").stdout == "# TYPE x gauge\nx 1\n# EOF\n"


# --- errors ---

@pytest.mark.parametrize("code, reason", [(3, "not_found"), (7, "busy"), (11, "engine"),
                                          (13, "needs_attention"), (19, "partial")])
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


def test_detach_names_the_job(path):
    with Stub(path, instance__start={"job": "j9", "state": "running"}) as stub:
        done = run(path, "instance", "start", "main", "--detach")
    assert done.stdout == "j9 is running; next: dbguestctl job wait j9\n"
    assert stub.params("instance.start")[0]["detach"] is True


def test_call_takes_any_method(path):
    with Stub(path, no__such={"a": [1]}) as stub:
        done = run(path, "call", "no.such", '{"x":1}')
    assert json.loads(done.stdout) == {"a": [1]} and stub.params("no.such") == [{"x": 1}]


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
    assert piped.stdout.splitlines()[-1] == ("'root' of main may log in with CREATEDB and "
                                             "CREATEROLE; afterwards: dbguestctl root disable main")


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


# --- jobs ---

def upgrade(params, note):
    for number, step in enumerate(["check", "settle", "stop", "prove"], 1):
        note(job="j184", state="running", step=step, step_number=number, step_count=11,
             done_bytes=141 * MIB, total_bytes=214 * MIB)
        time.sleep(0.25)
    return {"job": "j184", "instance": "main", "version": "15.20+deb12u1", "outage_s": 0.19,
            "expected_outage_s": 0.2}


def test_upgrade_on_a_terminal_leaves_a_line_a_step(path):
    with Stub(path, instance__upgrade=upgrade, job__show=JOB):
        terminal = Terminal(path, "instance", "upgrade", "main", "15.20+deb12u1")
        code = terminal.end()
    assert code == 0
    assert "settle  [#############-------]  65 %  141 of 214 MiB" in terminal.raw
    lines = terminal.text.splitlines()
    assert lines[:4] == [
        "j184 instance.upgrade main 15.20+deb12u1",
        "  check       0.41 s  0 blockers, 0 warnings, 1 note",
        "  settle      1.62 s  206 MiB written, 8 MiB left for the stop",
        "  stop        0.07 s"]
    assert re.fullmatch(r"main runs 15.20\+deb12u1, proved; outage 0.19 s \(0.2 s expected\), "
                        r"[\d.]+ s in all", lines[4])
    assert lines[5] == "what was compared: dbguestctl job report j184"


def test_upgrade_in_a_pipe_tells_steps_on_standard_error(path):
    with Stub(path, instance__upgrade=upgrade, job__show=JOB):
        done = run(path, "instance", "upgrade", "main", "15.20+deb12u1")
        quiet = run(path, "instance", "upgrade", "main", "15.20+deb12u1", "--quiet")
        as_json = run(path, "instance", "upgrade", "main", "1", "--progress", "json")
    assert done.stderr.splitlines()[1] == "  check       0.41 s  0 blockers, 0 warnings, 1 note"
    assert "\033" not in done.stderr and done.stdout.startswith("main runs 15.20+deb12u1, proved")
    assert quiet.stderr == "" and quiet.stdout == ""
    assert json.loads(as_json.stderr.splitlines()[0])["step"] == "check"


def test_waiting_for_a_turn_is_said(path):
    def wait(params, note):
        note(job="j188", state="queued", position=1, waiting_for=["j187"])
        note(job="j188", state="queued", position=1, waiting_for=["j187"])
        time.sleep(0.3)
        return {"job": "j188", "instance": "shop", "status": "ACTIVE", "outage_s": 0.2}

    other = {"job": "j187", "method": "backup.create", "object": "shop", "state": "running",
             "note": "2/4 stream 62 %, 5 s left"}
    with Stub(path, instance__restart=wait, job__show=other):
        _, text = screen(path, "instance", "restart", "shop")
    assert text.splitlines() == ["j188 waits for j187 (backup.create shop, 2/4 stream 62 %, 5 s "
                                 "left), place 1; Ctrl-C leaves it waiting",
                                 "shop is ACTIVE; outage 0.2 s"]


def test_ctrl_c_leaves_the_job_running(path):
    forever = threading.Event()

    def hang(params, note):
        note(job="j184", state="running", step="settle", step_number=2, step_count=11)
        forever.wait(10)
        return {}

    with Stub(path, instance__upgrade=hang, job__show=JOB):
        terminal = Terminal(path, "instance", "upgrade", "main", "15.20")
        terminal.read("settle")
        terminal.type("\x03")
        code = terminal.end()
        forever.set()
    assert code == 130
    assert terminal.text.splitlines()[-1] == ("j184 goes on: dbguestctl job show j184     to end "
                                              "it: dbguestctl job cancel j184")


def test_daemon_may_be_restarted_in_the_middle(path):
    """The second connection carries the same key, so that it joins the same job."""
    def first_time(params, note):
        note(job="j5", state="running", step="start", step_number=1, step_count=2)
        if len(stub.params("instance.start")) == 1:
            raise Hangup
        return {"job": "j5", "instance": "main", "status": "ACTIVE"}

    with Stub(path, instance__start=first_time) as stub:
        done = run(path, "instance", "start", "main")
    assert done.returncode == 0 and done.stdout == "main is ACTIVE\n"
    keys = [params["idempotency_key"] for params in stub.params("instance.start")]
    assert len(keys) == 2 and keys[0] == keys[1]


def test_rolled_back_upgrade_says_cause_and_engine(path):
    def fail(params, note):
        note(job="j185", state="running", step="start", step_number=8, step_count=11)
        raise Answer(12, "'main' runs 15.18 as before: 15.20 did not start", "rolled_back",
                     native="FATAL:  Cannot allocate memory", hint="free memory", job="j185",
                     cause={"step": "start", "message": "the engine ended with status 1",
                            "reason": "engine"})

    undone = STEPS + [{"step": "start", "took_s": 0.31, "failed": True, "undone": False},
                      {"step": "stop", "took_s": 0.06, "what": "15.18 runs", "undone": True}]
    with Stub(path, instance__upgrade=fail, job__show={**JOB, "steps": undone}):
        code, text = screen(path, "instance", "upgrade", "main", "15.20")
    assert code == 12
    assert text.splitlines()[4:] == [
        "  start       0.31 s  failed",
        "  undo stop   0.06 s  15.18 runs",
        "error: 'main' runs 15.18 as before: 15.20 did not start [rolled_back]",
        "  cause: start: the engine ended with status 1 [engine]",
        " engine: FATAL:  Cannot allocate memory",
        "   hint: free memory"]


# --- watch, help, completion, a newer daemon ---

def test_watch_prints_events(path):
    event = {"seq": 1, "boot_id": "b", "time": "2026-11-21T03:42:58.120Z", "kind": "status",
             "instance": "main", "status": "UPGRADE", "was": "ACTIVE", "job": "j184"}

    def subscribe(params, _):
        stub.subscribed = params
        return {"boot_id": "b", "seq": 0, "missed": False}

    with Stub(path, agent__subscribe=subscribe) as stub:
        original = stub.answer

        def answer(connection, request, send):
            original(connection, request, send)
            send({"method": "agent.event", "params": event})

        stub.answer = answer
        watch = subprocess.Popen([PROGRAM, "watch", "--instance", "main"], text=True,
                                 stdout=subprocess.PIPE, env=environment(path))
        line = watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        assert watch.wait(timeout=10) == 130
        watch.stdout.close()
    assert line.split() == ["03:42:58.120", "status", "main", "ACTIVE", "->", "UPGRADE", "j184"]
    assert stub.subscribed == {"instance": "main"}


def every_verb():
    text = subprocess.run([PROGRAM, "completion", "bash"], capture_output=True, text=True,
                          check=True).stdout
    return re.findall(r"^    '(\S+) (\S+)'\)$", text, re.M)


def test_every_method_answers_to_help_without_a_daemon(path):
    verbs = every_verb()
    assert len(verbs) > 40
    for noun, verb in verbs:
        done = run(path, noun, verb, "--help")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"Usage: dbguestctl {noun} {verb}")
        assert max(map(len, done.stdout.splitlines())) <= 101


def test_examples_of_help_are_good_command_lines(path):
    """Without a daemon they get as far as the socket, or to what would be typed at a terminal."""
    for noun, verb in every_verb():
        for line in run(path, noun, verb, "--help").stdout.splitlines():
            if not line.startswith("  dbguestctl "):
                continue
            words = shlex.split(line.partition(" < ")[0])[1:]
            done = run(path, *words, stdin="secret\n")
            typed = re.search("(password-stdin|--confirm) is missing", done.stderr)
            assert done.returncode == 20 or typed, (line, done.stderr)


def test_help_says_who_answers(path):
    with Stub(path, agent__info={"version": "0.1.0", "instances": 3, "jobs": {"running": 1}}):
        done = run(path, "--help")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith("dbguestd 0.1.0 answers: 3 instances, 1 job")
    assert run(path).returncode == 2


def test_completion_completes_verbs_and_names(path, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dbguestctl").symlink_to(PROGRAM)
    script = f"""source <({PROGRAM} completion bash)
        complete_words() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dbguestctl
                            echo "${{COMPREPLY[*]}}"; }}
        complete_words dbguestctl inst; complete_words dbguestctl instance up
        complete_words dbguestctl instance upgrade m
        complete_words dbguestctl instance stop main --mode ''
        complete_words dbguestctl user create main anna --pass"""
    with Stub(path, instance__list=LIST):
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                              env=environment(path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}"))
    assert done.stdout.splitlines() == ["instance", "upgrade", "main", "clean immediate",
                                        "--password-stdin"]


def test_daemon_with_another_table_teaches_its_verbs(path, tmp_path):
    document = {"openrpc": "1.2.6", "info": {"title": "dbguest", "version": "9"}, "methods": [
        {"name": "instance.rehearse", "summary": "Rehearse an upgrade.", "x-role": "operator",
         "x-job": True, "x-locks": [], "x-success": "{instance} is rehearsed",
         "params": [{"name": "instance", "required": True, "schema": {"type": "string"}}],
         "result": {"name": "instance", "schema": {"type": "object"}}}]}
    words = ["instance", "rehearse", "main"]
    home = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    with Stub(path, agent__info={"table": "0123456789abcdef"}, rpc__discover=document,
              instance__rehearse={"job": "j1"}) as stub:
        assert run(path, *words, **home).stdout == "main is rehearsed\n"
        assert run(path, *words, **home).stdout == "main is rehearsed\n"
    assert len(stub.params("rpc.discover")) == 1
    # Remembered: help needs no daemon.
    assert "Rehearse an upgrade." in run(path, *words[:2], "--help", **home).stdout
