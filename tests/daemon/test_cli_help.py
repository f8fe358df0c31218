"""dbguestctl: help, the man page, completion, and a daemon that knows more."""
import os
import re
import shlex
import subprocess

import pytest

from cli_samples import LIST
from cli_stub import BUILD, PROGRAM, Stub, environment, run


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


def test_help_of_a_noun_fits_a_terminal(path):
    for noun in {noun for noun, _ in every_verb()}:
        done = run(path, noun, "--help")
        assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= 100


def test_man_page_has_every_command_and_every_exit_code(path):
    """In roff's own words, and no line that roff would take for one of its requests."""
    page = (BUILD / "agent/cli/dbguestctl.1").read_text()
    requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests <= {".TH", ".SH", ".SS", ".TP", ".B", ".BR", ".br", ".PP", ".nf", ".fi"}
    plain = page.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "")
    for noun, verb in every_verb():
        assert f"\n.SS {noun} {verb}" in plain
    for words in ("watch", "call METHOD JSON", "completion bash"):
        assert f"\n.SS {words}\n" in plain
    for exit_code in ("3\nnot_found: what was named is not there",
                      "7\nbusy: held by a job, or in use (trying again may work)",
                      "20\nno daemon at the socket", "130\nCtrl-C"):
        assert f"\n.TP\n{exit_code}\n" in plain


def test_help_says_who_answers(path):
    with Stub(path, agent__info={"version": "0.1.0", "instances": 3, "jobs": {"running": 1}}):
        done = run(path, "--help")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].endswith("dbguestd 0.1.0 answers: 3 instances, 1 job")
    assert run(path).returncode == 2


@pytest.fixture
def complete(path, tmp_path):
    """What a Tab behind each line of words would offer."""
    def typed(*lines):
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/dbguestctl").symlink_to(PROGRAM)
        script = f"""source <({PROGRAM} completion bash)
            complete_words() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dbguestctl
                                echo "${{COMPREPLY[*]}}"; }}
            """ + "\n".join(f"complete_words dbguestctl {line}" for line in lines)
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                              env=environment(path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}"))
        assert done.stderr == ""
        return done.stdout.splitlines()

    return typed


def test_completion_completes_words_of_the_table(complete):
    assert complete("inst", "instance up", "instance stop main --mode ''", "job list --state r",
                    "user create main anna --pass", "--progress p", "call job.l", "completion ''",
                    "instance list --wid", "version pull ''", "user set-password main anna x") == [
        "instance", "upgrade", "clean immediate", "running recovering", "--password-stdin",
        "plain", "job.list", "bash", "--wide", "postgresql mariadb mysql redis valkey", ""]


def test_completion_completes_names(path, complete):
    def versions(params, _):
        rows = [{"datastore": "redis", "version": "7.0"}, {"datastore": "mariadb", "version": "7.1"}]
        wanted = params.get("datastore")
        return {"versions": [row for row in rows if wanted in (None, row["datastore"])],
                "next_marker": None}

    def named(rows, *names):
        return {rows: [{rows[:-1] if rows in ("backups", "jobs") else "name": name}
                       for name in names], "next_marker": None}

    with Stub(path, instance__list=LIST, version__list=versions,
              backup__list=named("backups", "main-1", "shop-1"), job__list=named("jobs", "j1", "j2"),
              database__list=named("databases", "shop"), user__list=named("users", "anna")):
        assert complete("instance upgrade m", "instance upgrade main 7", "version show redis 7",
                        "instance create new mariadb 7", "instance create m", "backup restore m",
                        "job wait ''", "database drop main s", "user drop main a",
                        "user create main b --databases s", "job list --instance s",
                        f"--socket {path} instance show m", "instance --socket /none show m") == [
            "main", "7.0 7.1", "7.0", "7.1", "", "main-1", "j1 j2", "shop", "anna", "shop",
            "shop", "main", ""]


def test_name_is_not_run_by_completion(path, complete, tmp_path):
    names = [f"$(touch {tmp_path}/ran)", f"`touch {tmp_path}/ran`", "two words", "a\nb"]
    with Stub(path, database__list={"databases": [{"name": name} for name in names],
                                    "next_marker": None}):
        (said,) = complete("database drop main ''")
    assert not (tmp_path / "ran").exists()
    assert shlex.split(said) == names[:3]


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
