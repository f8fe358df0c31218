"""What recovers late, twice, or beside another job must not touch what others have made since."""

import json
import shutil

import pytest

import journal
from scene import ground, is_closed, kill_all, made, main, serves, submit, upgrade  # noqa: F401
from session import app
from wait import Refused, kill, wait_for


def needing_attention(ground):
    """main is closed, because what the disk holds of its upgrade is not known."""
    job = upgrade(ground, ("written", "EIO", '{"begin":"use"'))
    assert ground.outcome(job) == "needs_attention"
    return job


# --- closed stays closed (C16) ---

@pytest.mark.parametrize("method", ["instance.start", "instance.restart"])
def test_c16_job_that_died_before_it_was_refused_opens_nothing(ground, method):
    needing_attention(ground)
    job = submit(ground, [("after", "kill", '"format":')], method)
    assert ground.outcome(job) == "interrupted"
    is_closed(ground)


def test_c16_delete_that_is_undone_leaves_closed_what_was(ground):
    needing_attention(ground)
    job = submit(ground, [("after", "kill", '{"begin":"close"')], "instance.delete", confirm="main")
    assert ground.outcome(job) == "interrupted"
    is_closed(ground)
    ground.call("instance.recover", instance="main")
    serves(ground, "1.0")


def scribble(path):
    kept = path.read_bytes()
    path.write_bytes(b"nobody wrote this" + kept[17:])
    return kept


def test_c06_journal_without_a_byte_was_never_begun(ground):
    job = submit(ground, [("before", "kill", '"format":')], "instance.restart")
    assert ground.outcome(job) == "interrupted"
    assert "nothing was done" in ground.job(job)["error"]["message"]
    serves(ground, "1.0")


@pytest.mark.parametrize("mended", [True, False])
def test_c01_journal_that_was_written_and_does_not_check_needs_a_person(ground, mended):
    job = upgrade(ground, ("before", "stop", '{"begin":"safepoint"'))
    kill_all(ground)
    path = ground.state / "jobs/open" / job / "journal"
    kept = scribble(path)
    ground.up()
    assert ground.outcome(job, 30) == "needs_attention"
    said = ground.job(job)["error"]
    assert str(path) in said["message"] and "instance recover main" in said["hint"]
    assert json.loads((path.parent / "attention").read_text())["message"] == said["message"]
    with pytest.raises(Refused) as refused:
        ground.call("instance.recover", instance="main")
    assert refused.value.reason == "needs_attention"
    is_closed(ground)
    # The way out: the journal is put right, or taken away when nothing is left half done.
    path.write_bytes(kept) if mended else path.unlink()
    ground.call("instance.recover", instance="main")
    wait_for(lambda: ground.outcome(job) in ("rolled_back", "interrupted"), what="its end")
    serves(ground, "1.0")


def test_c16_journal_that_does_not_check_closes_what_it_was_about(ground):
    job = submit(ground, [("after", "stop", '"format":')], "instance.restart")
    ground.kill_daemon()
    kill(ground.fired())
    scribble(ground.state / "jobs/open" / job / "journal")
    ground.up()
    assert ground.outcome(job, 30) == "needs_attention"
    assert main(ground)["closed"]


def test_the_oldest_of_several_is_recovered_first(ground):
    job = upgrade(ground, ("before", "stop", '{"begin":"safepoint"'))
    kill_all(ground)
    folder = ground.state / "jobs/open" / job
    scribble(folder / "journal")
    later = folder.with_name(f"{job}0")
    shutil.copytree(folder, later)
    first = folder.with_name("j9")  # as a name it comes after the others
    shutil.copytree(folder, first)
    for copy in (later, first):
        text = (copy / "request.json").read_text()
        (copy / "request.json").write_text(text.replace(f'"{job}"', f'"{copy.name}"'))
    ground.up()
    for name in (first.name, job, later.name):
        assert ground.outcome(name, 30) == "needs_attention"
    with pytest.raises(Refused) as refused:
        ground.call("instance.recover", instance="main")
    assert f"/{first.name}/journal" in str(refused.value)


def test_c01_recover_opens_nothing_whose_journal_it_cannot_read(ground):
    job = upgrade(ground, ("before", "stop", '{"begin":"safepoint"'))
    kill_all(ground)
    path = ground.state / "jobs/open" / job / "journal"
    kept = path.read_bytes()
    journal.rewrite(path, lambda record: record.update(format=99) if "format" in record else None)
    ground.up()
    assert ground.outcome(job, 30) == "needs_attention"
    with pytest.raises(Refused) as refused:
        ground.call("instance.recover", instance="main")
    assert refused.value.reason == "needs_attention"
    is_closed(ground)
    path.write_bytes(kept)
    ground.call("instance.recover", instance="main")
    serves(ground, "1.0")


# --- an undo that has been past the opening ends nothing that serves ---

@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("record", ['{"undone":"fence"', '{"undo":"settle"', '{"undo":"prepare"'])
def test_undo_that_is_repeated_leaves_the_engine_that_serves(ground, record, when):
    ground.call("instance.configure", instance="main", settings={"lie": "1.1"})
    job = upgrade(ground, (when, "stop", record))
    client, engine = app(ground), ground.engine_pid()
    kill(ground.fired())
    assert ground.outcome(job) == "rolled_back"
    assert ground.engine_pid() == engine
    client.ask("SET", "row000001", "x")
    client.close()
    serves(ground, "1.0")


# --- jobs that need attention and what comes after them ---

def half_undone(ground):
    """main serves 1.0 again, and the job that could not tidy up needs attention."""
    ground.call("instance.configure", instance="main", settings={"lie": "1.1"})
    job = upgrade(ground, ("before", "EIO", '{"undo":"prepare"'))
    assert ground.outcome(job) == "needs_attention"
    serves(ground, "1.0")
    return job


def test_nothing_is_built_on_what_a_recovery_would_undo(ground):
    job = half_undone(ground)
    for method, params in (("instance.upgrade", {"version": ground.versions["1.1"]}),
                           ("instance.configure", {"settings": {"max_clients": 30}})):
        with pytest.raises(Refused) as refused:
            ground.call(method, instance="main", **params)
        assert refused.value.reason == "needs_attention"
        assert job in refused.value.error["message"]
    # What does not touch the service goes on.
    ground.call("database.create", instance="main", name="new")
    ground.call("instance.recover", instance="main")
    ground.call("instance.configure", instance="main", settings={"max_clients": 30})
    assert ground.job(job)["outcome"] == "rolled_back"


def test_delete_takes_along_the_jobs_that_needed_attention(ground):
    job = needing_attention(ground)
    ground.call("instance.delete", instance="main", confirm="main")
    assert wait_for(lambda: ground.job(job)["outcome"] == "interrupted", 5, "the old job's end")
    assert not list(ground.state.glob("jobs/open/*"))
    ground.call("instance.create", instance="main", datastore="fake", port=ground.port,
                version=ground.versions["1.0"],
                users=[{"name": "app", "password": "app-secret-7"}])
    engine = ground.engine_pid()
    kill_daemon_and_start(ground)
    assert ground.engine_pid() == engine
    serves(ground, "1.0")


def kill_daemon_and_start(ground):
    ground.kill_daemon()
    ground.up().serving()
    ground.all_ended()


def fill(path, size):
    """A journal with what many recoveries that failed have added."""
    records = journal.read(path)
    while sum(len(json.dumps(record)) + 19 for record in records) < size:
        records.append({"recover": True, "time": "-" * 8000})
    chain, data = 0, b""
    for record in records:
        text = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        body = b"%08x " % len(text) + text
        chain = journal.crc32c(chain, body)
        data += b"%08x " % chain + body
    path.write_bytes(data.ljust(journal.SIZE, b"\0"))


@pytest.mark.parametrize("size", [150000, 240000])
def test_recovery_that_failed_often_has_room_for_one_more(ground, size):
    job = upgrade(ground, ("after", "stop", '{"begin":"start"'))
    kill_all(ground)
    fill(ground.state / "jobs/open" / job / "journal", size)
    ground.up()
    assert ground.outcome(job, 30) == "rolled_back"
    serves(ground, "1.0")


def test_create_whose_removal_was_cut_in_half_is_removed(ground):
    ground.rule(("before", "stop", '{"undone":"folder"'))
    job = ground.submit("instance.create", instance="second", datastore="fake",
                        version=ground.versions["1.0"], settings={"fail_start": "all"})
    wait_for(lambda: not (ground.fault / "rules").read_text() and ground.fired())
    # As a death half way through has it.
    hidden = ground.state / f"instances/.dropped-{job}"
    assert not hidden.exists() and not (ground.state / "instances/second").exists()
    shutil.copytree(ground.state / "instances/main/generations", hidden / "generations",
                    symlinks=True)
    (hidden / "current").symlink_to("generations/1")
    kill(ground.fired())
    assert ground.outcome(job, 30) == "engine"
    assert not ground.look()["left over"]
    assert list(ground.look()["instances"]) == ["main"]


def test_outage_over_a_reboot_is_by_the_clock_on_the_wall(ground):
    job = upgrade(ground, ("after", "stop", '{"commit"'))
    kill_all(ground)

    def reboot(record):
        if "fenced_at" in record.get("facts", {}):
            record["facts"].update(boot_id="another", fenced_at=1e9)
    journal.rewrite(ground.state / "jobs/open" / job / "journal", reboot)
    ground.up()
    assert ground.outcome(job, 30) == "ok"
    result = ground.job(job)["result"]
    assert 0 < result["outage_s"] < 60
    assert "started after the proof" in result["report"]
