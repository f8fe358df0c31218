"""A booted machine: the daemon as a service, engines and jobs as units, over restarts and reboots.

One machine plays the whole story, in this order.
"""
import json
import os
import signal
import time

import pytest
from boot import Machine, build_option, install, machine_tree, own_network
from conftest import CACHE, create
from shop import SHOPS, Prober

DATASTORES = ["postgresql", "mariadb", "redis"]
INSTALLED = {
    "sbin/dbguestd", "bin/dbguestctl", "libexec/dbguest/dbguest-launch",
    "libexec/dbguest/dbguest-unpack",
    "libexec/dbguest/postgresql", "libexec/dbguest/mysql", "libexec/dbguest/redis",
    "lib/systemd/system/dbguestd.service", "lib/systemd/system/dbguest@.service",
    "lib/tmpfiles.d/dbguest.conf", "lib/sysusers.d/dbguest.conf",
    "share/bash-completion/completions/dbguestctl.bash", "share/man/man1/dbguestctl.1",
    "share/man/man5/dbguest.conf.5", "share/man/man8/dbguestd.8", "/etc/dbguest/dbguest.conf",
}
SCALE = 0.02
counts = {}  # rows of each shop, as they were put in


@pytest.fixture(scope="module")
def machine():
    tree = machine_tree(CACHE)
    with own_network(), Machine(tree, CACHE / "versions") as booted:
        yield booted


def await_that(condition, seconds=30):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it does not come true"
        time.sleep(0.002)


def journal(machine, *options):
    return machine.run("journalctl", "--quiet", "--output=cat", *options)


def show(machine, instance):
    return machine.call("instance.show", instance=instance)


def serves(machine, name):
    try:
        return SHOPS[name]().count() == counts[name] and show(machine, name)["status"] == "ACTIVE"
    except Exception:  # whatever a client library makes of a closed door
        return False


def worker_of(machine, job, step=None):
    """Stops the job's worker, once it is at that step, and gives its number outside."""
    folder = machine.path(f"/var/lib/dbguest/jobs/open/{job}")

    def is_there():
        events = folder / "events"
        return (folder / "pid").exists() and (
            step is None or (events.exists() and f'"step":"{step}"' in
                             events.read_text().replace('": ', '":')))

    await_that(is_there)
    pid = machine.outside(json.loads((folder / "pid").read_text())["pid"])
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_installed_is_what_belongs_there(tmp_path):
    install(tmp_path)
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    prefix = build_option("prefix")[1:]
    wanted = {name[1:] if name.startswith("/") else f"{prefix}/{name}" for name in INSTALLED}
    assert there == wanted


def test_the_daemon_is_a_service(machine):
    assert machine.run("systemctl", "is-system-running") == "running"
    said = machine.ask("dbguestd", "ActiveState", "Type", "StatusText", "WatchdogUSec", "NRestarts")
    assert said["ActiveState"] == "active" and said["Type"] == "notify"
    assert said["StatusText"] == "Listening on /run/dbguest/dbguest.sock"
    assert said["WatchdogUSec"] == "1min" and said["NRestarts"] == "0"
    assert machine.run("stat", "-c", "%a %G", "/run/dbguest/dbguest.sock") == "660 dbguest"
    assert machine.call("agent.info")["instances"] == 0


def test_the_example_names_the_defaults_and_a_reload_says_what_changed(machine):
    example = machine.root / "etc/dbguest/dbguest.conf"
    lines = [line for line in example.read_text().splitlines() if not line.startswith("# ")]
    assert all(line.startswith(("#", "[")) for line in lines if line)
    spelt = "\n".join(line.lstrip("#") for line in lines) + "\n"
    for text, heard in (
            (spelt, "the configuration is the same as before"),
            (spelt.replace("jobs_running = 8", "jobs_running = 3"), "jobs_running is 3, was 8"),
            (spelt.replace("uid_count = 1000", "uid_count = 500"), "this needs a restart"),
            ("[limits]\njobs_running = many\n", "dbguest.conf:2: jobs_running must be a number")):
        example.write_text(text)
        machine.run("systemctl", "reload", "dbguestd")
        await_that(lambda: heard in journal(machine, "-u", "dbguestd"))
    example.write_text(spelt)
    machine.run("systemctl", "reload", "dbguestd")
    await_that(lambda: machine.call("agent.info")["limits"]["jobs_running"] == 8)


def test_a_pull_weighs_less_than_an_engine(machine):
    """What it pulls is no tree, which it finds out only when it has been copied."""
    place = "/var/lib/dbguest/versions/redis"  # the cache, which nobody may write to
    machine.run("mount", "-t", "tmpfs", "none", place)
    try:
        job = machine.call("version.pull", datastore="redis", source="dir:/usr/lib",
                           detach=True)["job"]
        pid = worker_of(machine, job, "unpack")
        said = machine.ask(f"dbguest-job-{job}", "CPUWeight", "IOWeight")
        os.kill(pid, signal.SIGCONT)
        assert machine.call("job.wait", job=job)["outcome"] == "incompatible"
    finally:
        machine.run("umount", place)
    assert said == {"CPUWeight": "10", "IOWeight": "10"}


def test_a_daemon_that_hangs_is_replaced(machine):
    folder = "/run/systemd/system/dbguestd.service.d"
    machine.run("sh", "-c", f"mkdir -p {folder}; "
                f"printf '[Service]\\nWatchdogSec=1\\n' >{folder}/soon.conf; "
                "systemctl daemon-reload; systemctl restart dbguestd")
    time.sleep(2)
    assert machine.ask("dbguestd", "NRestarts") == "0", "while it is well it says so in time"
    os.kill(machine.outside(machine.ask("dbguestd", "MainPID")), signal.SIGSTOP)
    await_that(lambda: machine.ask("dbguestd", "NRestarts") == "1" and
               machine.ask("dbguestd", "ActiveState") == "active")
    machine.run("sh", "-c", f"rm -r {folder}; systemctl daemon-reload; systemctl restart dbguestd")
    assert machine.call("agent.info")["instances"] == 0


@pytest.mark.parametrize("name", DATASTORES)
def test_an_engine_is_a_unit(machine, pulled, name):
    shop = SHOPS[name]()
    create(machine, shop, pulled[f"{name} old"])
    shop.load(SCALE)
    counts[name] = shop.count()
    said = machine.ask(f"dbguest@{name}", "ActiveState", "UnitFileState", "MainPID", "ControlGroup")
    assert said["ActiveState"] == "active" and said["UnitFileState"] == "enabled"
    process = machine.path(f"/proc/{said['MainPID']}")
    assert said["ControlGroup"].endswith(f"/dbguest@{name}.service")
    assert f"/dbguest@{name}.service" in (process / "cgroup").read_text()
    rights = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    assert int(rights["Uid"].split()[0]) >= 64100
    assert int(rights["CapEff"], 16) == int(rights["CapBnd"], 16) == 0
    assert rights["NoNewPrivs"] == "1" and rights["Seccomp"] == "2"


@pytest.mark.parametrize("name", DATASTORES)
def test_c06_a_job_is_a_unit_and_goes_on_while_the_daemon_is_replaced(machine, name):
    with Prober(SHOPS[name]()) as prober:
        job = machine.call("backup.create", instance=name, detach=True)["job"]
        worker = worker_of(machine, job)
        said = machine.ask(f"dbguest-job-{job}", "ActiveState", "MainPID", "NoNewPrivileges",
                           "KillMode", "After", "Before")
        assert said["ActiveState"] == "active" and machine.outside(said["MainPID"]) == worker
        assert said["NoNewPrivileges"] == "no" and said["KillMode"] == "mixed"
        assert f"dbguest@{name}.service" in said["After"] and "dbguestd.service" in said["Before"]
        machine.run("systemctl", "restart", "dbguestd")
        assert machine.call("job.show", job=job)["state"] == "running"
        os.kill(worker, signal.SIGCONT)
        ended = machine.call("job.wait", job=job)
        time.sleep(0.2)
    assert ended["outcome"] == "ok"
    assert prober.failures == 0 and prober.acknowledged
    await_that(lambda: not machine.jobs())


def test_the_journal_is_searched_by_job_and_instance(machine):
    job = machine.call("instance.restart", instance="redis", detach=True)["job"]
    worker = worker_of(machine, job)
    time.sleep(0.5)
    os.kill(worker, signal.SIGCONT)
    machine.call("job.wait", job=job)
    machine.run("journalctl", "--sync")
    told = machine.run("journalctl", "--quiet", "--output=json", f"DBGUEST_JOB={job}")
    rows = [json.loads(line) for line in told.splitlines()]
    assert {row["DBGUEST_INSTANCE"] for row in rows} == {"redis"}
    of_daemon = [row for row in rows if row["_SYSTEMD_UNIT"] == "dbguestd.service"]
    assert [row["DBGUEST_STATE"] for row in of_daemon if row["DBGUEST_EVENT"] == "job"] == [
        "accepted", "started", "ended"]
    assert of_daemon[-1]["DBGUEST_OUTCOME"] == "ok" and of_daemon[-1]["PRIORITY"] == "6"
    unit = f"dbguest-job-{job}.service"
    assert unit in {row["_SYSTEMD_UNIT"] for row in rows}


@pytest.mark.parametrize("name", DATASTORES)
def test_c09_a_killed_worker_takes_its_tools_along_and_is_recovered(machine, pulled, name):
    with Prober(SHOPS[name]()):
        job = machine.call("instance.upgrade", instance=name, version=pulled[f"{name} new"],
                           detach=True)["job"]
        os.kill(worker_of(machine, job, "stop"), signal.SIGKILL)
        ended = machine.call("job.wait", job=job)
        await_that(lambda: serves(machine, name))
    assert ended["outcome"] == "rolled_back", json.dumps(ended)
    assert show(machine, name)["version"] == pulled[f"{name} old"]
    await_that(lambda: not machine.jobs())


@pytest.mark.parametrize("name", DATASTORES)
def test_an_upgrade_goes_on_while_the_daemon_is_replaced(machine, pulled, name):
    with Prober(SHOPS[name]()) as prober:
        job = machine.call("instance.upgrade", instance=name, version=pulled[f"{name} new"],
                           detach=True)["job"]
        worker = worker_of(machine, job, "stop")
        machine.run("systemctl", "restart", "dbguestd")
        os.kill(worker, signal.SIGCONT)
        ended = machine.call("job.wait", job=job)
        time.sleep(0.2)
    assert ended["outcome"] == "ok", json.dumps(ended)
    assert prober.acknowledged
    shown = show(machine, name)
    assert shown["version"] == pulled[f"{name} new"] and shown["status"] == "ACTIVE"
    assert serves(machine, name)


@pytest.mark.parametrize("name", DATASTORES)
def test_restored_beside_it(machine, name):
    backup = machine.call("backup.list", instance=name)["backups"][0]["backup"]
    port = SHOPS[name].port + 20
    machine.call("backup.restore", backup=backup, instance="second", port=port)
    assert SHOPS[name](port=port).count() == counts[name]
    machine.call("instance.delete", instance="second", confirm="second")
    await_that(lambda: machine.ask("dbguest@second", "ActiveState") == "inactive")
    said = journal(machine, "-u", "dbguest@second", "_COMM=dbguest-launch")
    assert said == "", "stopping it went well"


@pytest.mark.parametrize("name", DATASTORES)
def test_a_killed_engine_is_started_by_its_unit(machine, name):
    with Prober(SHOPS[name]()):
        time.sleep(0.2)
        os.kill(machine.outside(machine.ask(f"dbguest@{name}", "MainPID")), signal.SIGKILL)
        await_that(lambda: serves(machine, name))
    assert machine.ask(f"dbguest@{name}", "NRestarts") == "1"


@pytest.mark.parametrize("name", DATASTORES)
def test_an_engine_that_somebody_else_shut_down_is_started_by_its_unit(machine, name):
    unit = f"dbguest@{name}"
    before = machine.ask(unit, "NRestarts", "MainPID")
    launch = machine.path(f"/var/lib/dbguest/instances/{name}/current/launch.json")
    with Prober(SHOPS[name]()):
        os.kill(machine.outside(before["MainPID"]), json.loads(launch.read_text())["stop_signal"])
        await_that(lambda: machine.ask(unit, "MainPID") not in ("0", before["MainPID"]))
        await_that(lambda: serves(machine, name))
    assert int(machine.ask(unit, "NRestarts")) == int(before["NRestarts"]) + 1
    machine.call("instance.stop", instance=name)
    time.sleep(2)
    assert machine.ask(unit, "ActiveState") == "inactive", "what was stopped stays stopped"
    machine.call("instance.start", instance=name)
    await_that(lambda: serves(machine, name))


def test_engines_serve_without_the_daemon(machine):
    with Prober(SHOPS["postgresql"]()) as one, Prober(SHOPS["mariadb"]()) as other, \
            Prober(SHOPS["redis"]()) as third:
        machine.run("systemctl", "stop", "dbguestd")
        time.sleep(0.5)
        said = machine.run("dbguestctl", "instance", "list", check=False)
        assert "systemctl start dbguestd" in said
        machine.run("systemctl", "start", "dbguestd")
        time.sleep(0.2)
    assert one.failures == other.failures == third.failures == 0
    listed = machine.run("dbguestctl", "instance", "list")
    assert listed.count("ACTIVE") == 3


def test_over_a_reboot_serves_what_served_and_nothing_else(machine, pulled):
    """One was stopped, one is closed, one is in the middle of a job (C8, C17)."""
    for i, name in enumerate(("stopped", "closed", "middle")):
        machine.call("instance.create", instance=name, datastore="redis", port=17000 + i,
                     version=pulled["redis old"])
    machine.call("instance.stop", instance="stopped")
    (machine.root / "var/lib/dbguest/instances/closed/closed").touch()
    job = machine.call("instance.upgrade", instance="middle", version=pulled["redis new"],
                       detach=True)["job"]
    worker_of(machine, job, "prepare")
    boot_id = machine.call("agent.info")["boot_id"]

    machine.reboot()
    assert machine.call("agent.info")["boot_id"] != boot_id
    assert machine.run("systemctl", "is-system-running") == "running"
    for name in DATASTORES:
        await_that(lambda: serves(machine, name))
    for name in ("stopped", "closed"):
        assert machine.ask(f"dbguest@{name}", "ActiveState") == "inactive"
    assert show(machine, "stopped")["status"] == "SHUTDOWN"
    before = journal(machine, "-b", "-1", "-t", "systemd").splitlines()
    ended = [next(i for i, line in enumerate(before) if line.startswith(text)) for text in
             ("Stopped dbguestd.service", f"Stopped dbguest-job-{job}.service",
              "Stopping dbguest@middle.service")]
    assert ended == sorted(ended), "the agent, then the job, then the engine"

    ended = machine.call("job.wait", job=job)
    assert ended["outcome"] == "interrupted", json.dumps(ended)
    shown = show(machine, "middle")
    assert shown["status"] == "ACTIVE" and shown["version"] == pulled["redis old"]
    machine.call("instance.recover", instance="closed")
    assert show(machine, "closed")["status"] == "ACTIVE"


def test_the_plug_pulled_in_the_middle(machine, pulled):
    job = machine.call("instance.upgrade", instance="middle", version=pulled["redis new"],
                       detach=True)["job"]
    worker_of(machine, job, "stop")
    machine.cut()
    machine.boot()
    for name in DATASTORES:
        await_that(lambda: serves(machine, name))
    ended = machine.call("job.wait", job=job)
    assert ended["outcome"] == "rolled_back", json.dumps(ended)
    shown = show(machine, "middle")
    assert shown["status"] == "ACTIVE" and shown["version"] == pulled["redis old"]
    assert show(machine, "stopped")["status"] == "SHUTDOWN"
    machine.call("instance.upgrade", instance="middle", version=pulled["redis new"])


def test_nothing_had_to_be_told_twice(machine):
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend") == ""
    assert not machine.jobs()
