"""dbguestctl against a stub: how far a job is, and what becomes of those who wait for it."""
import json
import re
import threading
import time

from cli_samples import JOB, MIB, STEPS
from cli_stub import Answer, Hangup, Stub, Terminal, run, screen


ABOUT = {"datastore": "postgresql", "from_version": "15.18+deb12u1", "version": "15.20+deb12u1",
         "expected_outage_s": 0.2}


def upgrade(params, note):
    for number, step in enumerate(["check", "settle", "stop", "prove"], 1):
        note(job="j184", state="running", step=step, step_number=number, step_count=11,
             about=ABOUT if number > 1 else None, done_bytes=141 * MIB, total_bytes=214 * MIB)
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
        "j184 instance.upgrade main: postgresql 15.18+deb12u1 -> 15.20+deb12u1, outage 0.2 s "
        "expected",
        "  check         0.41 s  0 blockers, 0 warnings, 1 note",
        "  settle        1.62 s  206 MiB written, 8 MiB left for the stop",
        "  stop          0.07 s"]
    assert re.fullmatch(r"main runs 15.20\+deb12u1, proved; outage 0.19 s \(0.2 s expected\), "
                        r"[\d.]+ s in all", lines[4])
    assert lines[5] == "what was compared: dbguestctl job report j184"


def test_bar_leaves_where_it_is_narrow(path):
    with Stub(path, instance__upgrade=upgrade, job__show=JOB):
        terminal = Terminal(path, "instance", "upgrade", "main", "15.20+deb12u1", columns=50)
        terminal.end()
    moving = re.findall(r"\r([^\r\n]*?)\033\[K", terminal.raw)
    assert max(map(len, moving)) < 50
    assert "  2/11 settle  65 %  141 of 214 MiB" in moving


def test_time_that_is_left_is_told_once_it_is_no_guess(path):
    def stream(params, note):
        for done, left in [(1, 1400), (107, 4.2), (212, 0.6)]:
            note(job="j1", state="running", step="stream", step_number=3, step_count=6,
                 done_bytes=done * MIB, total_bytes=214 * MIB, left_s=left)
            time.sleep(0.25)
        return {"job": "j1", "datastore": "redis", "version": "7.2"}

    with Stub(path, version__pull=stream, job__show={"job": "j1", "steps": []}):
        terminal = Terminal(path, "version", "pull", "redis", "apt:sid", columns=120)
        terminal.end()
    lefts = dict.fromkeys(re.findall(r" ([\d.]+) of 214 MiB(?:  [\d.]+ .?i?B/s)?((?:  \S+ s left)?)",
                                     terminal.raw))
    assert [(done, left.strip()) for done, left in lefts] == [
        ("1.0", ""), ("107", "4 s left"), ("212", "0.6 s left")]


def test_upgrade_in_a_pipe_tells_steps_on_standard_error(path):
    with Stub(path, instance__upgrade=upgrade, job__show=JOB):
        done = run(path, "instance", "upgrade", "main", "15.20+deb12u1")
        quiet = run(path, "instance", "upgrade", "main", "15.20+deb12u1", "--quiet")
        as_json = run(path, "instance", "upgrade", "main", "1", "--progress", "json")
    assert done.stderr.splitlines()[1] == "  check         0.41 s  0 blockers, 0 warnings, 1 note"
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


def test_ctrl_c_in_job_wait_leaves_the_job(path):
    forever = threading.Event()

    def hang(params, note):
        note(job="j184", state="running", step="settle", step_number=2, step_count=11)
        forever.wait(10)
        return {}

    with Stub(path, job__wait=hang):
        terminal = Terminal(path, "job", "wait", "j184")
        terminal.read("settle")
        terminal.type("\x03")
        code = terminal.end()
        forever.set()
    assert code == 130
    assert terminal.text.splitlines()[-1].startswith("j184 goes on: dbguestctl job show j184")


def go_away(stub, **known):
    """An answer that is the daemon's end, in the middle of a job."""
    def answer(params, note):
        note(job="j5", state="running", step="start", step_number=1, step_count=2, **known)
        stub.close()
        raise Hangup

    return answer


def test_daemon_that_does_not_come_back_says_how_to_go_on(path):
    stub = Stub(path)
    stub.answers["instance.start"] = go_away(stub)
    stub.listen()
    done = run(path, "instance", "start", "main", "--deadline-s", "2")
    assert done.returncode == 20 and done.stdout == ""
    assert done.stderr.splitlines() == [
        "the daemon went away, j5 goes on; waiting for the next one, at most 2 s",
        f"error: j5 may go on without it: no dbguestd at {path}: no such file or directory",
        "   hint: systemctl start dbguestd (the instances go on without it); log: journalctl -eu "
        "dbguestd",
        "         then: dbguestctl job wait j5"]


def test_ctrl_c_while_the_daemon_is_away_leaves_the_job(path):
    stub = Stub(path)
    stub.answers["instance.start"] = go_away(stub)
    stub.listen()
    terminal = Terminal(path, "instance", "start", "main")
    terminal.read("waiting for the next one, at most 60 s")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert terminal.text.splitlines()[-1].startswith("j5 goes on: dbguestctl job show j5")


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
        "  start         0.31 s  failed",
        "  undo stop     0.06 s  15.18 runs",
        "error: 'main' runs 15.18 as before: 15.20 did not start [rolled_back]",
        "  cause: start: the engine ended with status 1 [engine]",
        " engine: FATAL:  Cannot allocate memory",
        "   hint: free memory"]
