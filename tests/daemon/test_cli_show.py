"""dbguestctl against a stub: lists and objects, for people and in pipes."""
import json

import pytest

from cli_samples import GIB, INSTANCES, JOB, LIST, MIB
from cli_stub import Stub, Terminal, run, screen


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


def test_users_of_redis_show_keys_and_those_of_others_databases(path):
    common = {"login": True, "clients": 2}
    app = {"name": "app", "databases": {}, "keys": ["app:*"], "channels": ["news"],
           "categories": ["read", "write"], **common}
    anna = {"name": "anna", "databases": {"shop": "write"}, "keys": [], **common}
    with Stub(path, user__list={"users": [app], "next_marker": None}) as stub:
        _, redis = screen(path, "user", "list", "cache")
        _, narrow = screen(path, "user", "list", "cache", columns=40)
        stub.answers["user.list"] = {"users": [anna], "next_marker": None}
        _, postgresql = screen(path, "user", "list", "main")
        stub.answers["user.list"] = {"users": [{"name": "new", **common}], "next_marker": None}
        _, none = screen(path, "user", "list", "main")
    assert redis.splitlines() == ["NAME  LOGIN  KEYS   CHANNELS  CATEGORIES  CLIENTS",
                                  "app   yes    app:*  news      read write        2"]
    assert narrow.splitlines()[0].split() == ["NAME", "LOGIN", "KEYS", "CHANNELS", "CLIENTS"]
    assert postgresql.splitlines() == ["NAME  LOGIN  DATABASES   CLIENTS",
                                       "anna  yes    shop:write        2"]
    assert none.splitlines()[0].split() == ["NAME", "LOGIN", "DATABASES", "CLIENTS"]


@pytest.mark.parametrize("words, rows, said", [
    (("instance", "list"), "instances",
     "no instances; to have one: dbguestctl instance create --help"),
    (("version", "list"), "versions", "no versions; to have one: dbguestctl version pull --help"),
    (("user", "list", "main"), "users",
     "no users of main; to have one: dbguestctl user create --help"),
    (("job", "list"), "jobs", "no jobs"),
])
def test_empty_list_says_what_to_do_next(path, words, rows, said):
    method = "__".join(words[:2])
    with Stub(path, **{method: {rows: [], "next_marker": None}}):
        code, text = screen(path, *words)
        done = run(path, *words)
    assert code == 0 and text == said + "\n"
    assert done.stderr == "" and len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("columns", [60, 100, 400])
def test_tables_fit_their_terminal(path, columns):
    jobs = [{"job": "j185", "method": "instance.upgrade", "object": "main", "state": "ended",
             "outcome": "rolled_back", "age_s": 660, "took_s": 0.9,
             "note": "15.20+deb12u1 did not start: " + "漢字 " * 30}]
    with Stub(path, instance__list=LIST, job__list={"jobs": jobs, "next_marker": None}):
        _, instances = screen(path, "instance", "list", columns=columns)
        _, text = screen(path, "job", "list", columns=columns)
    wide = sum(text.splitlines()[1].count(letter) for letter in "漢字")
    assert len(text.splitlines()[1]) + wide <= columns
    assert "RESTART_REQUIRED" in instances and "10.11.18+deb12u1" in instances
    assert max(map(len, instances.splitlines()[:4])) <= columns


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


def test_job_that_was_undone_tells_its_outage(path):
    error = {"code": 12, "message": "'main' runs 15.18 as before", "data": {
        "reason": "rolled_back", "outage_s": 0.48, "cause": None}}
    job = {**JOB, "outcome": "rolled_back", "result": None, "error": error}
    with Stub(path, job__show=job):
        _, text = screen(path, "job", "show", "j184")
    assert text.splitlines()[0] == \
        "j184 instance.upgrade main: rolled_back, outage 0.48 s, 2.3 s in all"


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
    note = {"severity": "note", "reason": "backup_age", "message": "last good backup is 5 h old"}
    with Stub(path, instance__check_upgrade={
            "instance": "main", "ok": False, "version": "17.11", "from_version": "15.20",
            "method": "pg_upgrade --clone", "findings": [note, finding], "way_back": "until commit",
            "needed_bytes": 400 * MIB, "free_bytes": 18 * GIB, "expected_outage_s": 6}):
        done = run(path, "instance", "check-upgrade", "main", "17.11")
    assert done.returncode == 17
    assert done.stdout.splitlines()[:4] == [
        "main: 15.20 -> 17.11 by pg_upgrade --clone",
        "blocker  prepared_transaction  shop: 'xa-77', 3 h old",
        "         hint: end it",
        "note     backup_age            last good backup is 5 h old"]
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


def test_a_clock_that_jumped_is_seen(path):
    clock = {"running_s": 60.0, "jumped_s": -7200.0, "removal": "suspended"}
    with Stub(path, agent__info={"version": "0.1.0", "clock": clock}):
        told = run(path, "agent", "info").stdout
    assert told.endswith("\n! the clock jumped by 2 h: nothing is removed by age until it is back\n")
    with Stub(path, agent__info={"version": "0.1.0", "clock": clock | {"removal": "by_age"}}):
        assert "jumped" not in run(path, "agent", "info").stdout
