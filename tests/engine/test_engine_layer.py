"""An engine as a service of its own: started, found, stopped, proved. Names have the rule."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from engine_layer import LIBEXEC, make_driver, make_drivers, make_root, refused  # noqa: F401
from engine_tree import Instance
from wait import alive, wait_for


def test_engine_sees_its_tree_and_has_no_rights(make):
    driver = make(script="id; cat /proc/self/status /proc/self/mounts; ls -l /; touch /x; "
                  "touch /var/lib/dbguest/data/mine; exec sleep 100")
    pid = driver.start()
    wait_for(lambda: (driver.instance.data / "files/mine").exists())
    log = (driver.instance.folder / "log/engine.log").read_text()
    uid = driver.instance.uid

    assert f"uid={uid}(faker) gid={uid}(faker) groups={uid}(faker)" in log
    for line in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1",
                 "SigIgn:\t0000000000000000", "SigBlk:\t0000000000000000"]:
        assert line in log
    assert "cannot touch '/x': Read-only file system" in log
    assert str(driver.instance.root) not in log.replace(str(driver.instance.tree), "")
    assert (driver.instance.data / "files/mine").stat().st_uid == uid
    environment = pathlib.Path(f"/proc/{pid}/environ").read_text().strip("\0").split("\0")
    names = {word.split("=")[0] for word in environment}
    assert names - {"PWD"} == {"FAKE", "LANG", "PATH"}  # that one is the shell's


def test_engine_has_only_its_lock_open(driver):
    pid = driver.start()
    targets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}

    assert {pathlib.Path(target).name for target in targets} == {
        "null", "engine.log", "engine.lock"}


def test_start_find_stop_prove(driver):
    pid = driver.start()
    assert int(driver.run("find")) == pid
    assert driver.run("executes", pid) == "yes"
    assert driver.run("executes", os.getpid()) == "no"
    with refused("busy"):
        driver.run("prove")

    driver.run("stop")
    assert not alive(pid)
    assert driver.run("find") == "0"
    driver.run("prove")
    assert "up" in driver.run("log")


def test_start_says_why_it_failed(driver):
    (driver.instance.tree / "usr/bin/sh").unlink()
    with refused("internal") as info:
        driver.start()
    assert "cannot execute '/bin/sh'" in str(info.value)
    driver.run("prove")


def test_ran_names_the_version_before_it_runs(driver):
    driver.start()
    ran = json.loads((driver.instance.data / "ran.json").read_text())
    assert (ran["datastore"], ran["version"]) == ("fake", "1.0")
    driver.run("stop")

    driver.instance.add_generation(2, "1.1", Instance.script)
    shutil.copytree(driver.instance.tree.parent, driver.instance.tree.parent.parent / "1.1",
                    symlinks=True)
    driver.instance.use(2)
    driver.start()
    assert json.loads((driver.instance.data / "ran.json").read_text())["version"] == "1.1"


def test_c12_second_start_on_the_same_data_is_busy(driver):
    pid = driver.start()
    with refused("busy"):
        driver.start()
    assert int(driver.run("find")) == pid


def test_c12_engine_survives_its_starter(driver):
    starter = driver.spawn("start-and-stay")
    pid = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    time.sleep(0.1)
    assert alive(pid)
    assert int(driver.run("find")) == pid
    driver.run("stop")


def test_c12_launcher_whose_starter_dies_before_the_go_exits(driver):
    read, write = os.pipe()
    launcher = subprocess.Popen(
        [LIBEXEC / "dbguest-launch", driver.instance.folder, "--go-fd", str(read)],
        pass_fds=[read], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(read)
    assert launcher.stdout.readline() == "locked\n"
    assert int(driver.run("find")) == launcher.pid
    os.close(write)
    assert launcher.wait(10) != 0
    assert not (driver.instance.data / "ran.json").exists()
    driver.run("prove")


def test_c12_engine_cannot_forge_the_record_in_its_lock(make):
    driver = make(script="(echo '{}' >&4) || echo refused; (echo '{}' >/proc/self/fd/4) || "
                  "echo refused; (echo '{}' >&3) || echo refused; exec sleep 100")
    pid = driver.start()
    wait_for(lambda: driver.run("log").count("refused") == 3)
    assert int(driver.run("find")) == pid


def test_c12_record_of_a_reused_pid_is_no_engine(driver):
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (driver.instance.data / "engine.lock").write_text(json.dumps(
        {"pid": os.getpid(), "start_time": 1, "boot_id": boot_id}))
    assert driver.run("find") == "0"
    driver.run("stop")
    driver.start()


def test_c13_child_left_by_a_dead_engine_is_found_and_ended(make):
    driver = make(script="setsid sleep 1000 & exec sleep 2000")
    pid = driver.start()
    wait_for(lambda: len(driver.instance.bound_pids()) == 2)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid))

    assert driver.run("find") == "0"
    with refused("busy"):
        driver.run("prove")
    driver.run("await")
    assert not driver.instance.bound_pids()
    driver.run("prove")


@pytest.mark.parametrize("record", ["", '{"pid": 1, "start_time": 1, "boot_id": "another"}'])
def test_c13_nothing_is_ended_when_the_main_process_is_not_known(driver, record):
    pid = driver.start()
    (driver.instance.data / "engine.lock").write_text(record)
    with refused("needs_attention"):
        driver.run("await")
    with refused("busy"):
        driver.start()
    assert alive(pid)


def test_c13_next_start_ends_what_a_crash_left(make):
    driver = make(script="setsid sleep 1000 & exec sleep 2000")
    pid = driver.start()
    wait_for(lambda: len(driver.instance.bound_pids()) == 2)
    left, = set(driver.instance.bound_pids()) - {pid}
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid))
    driver.start()
    assert not alive(left)


def test_c13_waiting_leaves_a_tool_alone(driver):
    driver.start()
    with driver.spawn("tool", "-", "/bin/sleep", "1") as tool:
        wait_for(lambda: len(driver.instance.bound_pids()) >= 4)
        driver.run("stop")
        assert tool.wait(10) == 0


def test_c13_child_that_let_go_of_the_lock_is_still_in_the_way(make):
    driver = make(script="for fd in 3 4 5 6; do flock -u $fd; done 2>/dev/null; "
                  "touch /var/lib/dbguest/data/free; setsid sleep 1000 & exec sleep 2000")
    pid = driver.start()
    wait_for((driver.instance.data / "files/free").exists)
    lock = driver.instance.data / "engine.lock"
    subprocess.run(["flock", "-n", lock, "true"], check=True)  # so it is free indeed

    assert int(driver.run("find")) == pid
    with refused("busy"):
        driver.start()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not alive(pid))
    with refused("busy"):
        driver.run("prove")
    driver.run("await")
    driver.run("prove")


def test_c13_waiting_never_ends_the_main_process(make):
    driver = make(script="trap 'sleep 1; exit 0' TERM; while :; do sleep 1 & wait $!; done")
    pid = driver.start()
    time.sleep(0.1)
    os.kill(pid, signal.SIGTERM)
    waiting = driver.spawn("await")
    time.sleep(0.5)
    assert alive(pid)
    assert waiting.wait(20) == 0
    assert not alive(pid)


def test_c14_lock_file_stays_the_same(driver):
    driver.start()
    inode = (driver.instance.data / "engine.lock").stat().st_ino
    driver.run("stop")
    driver.start()
    assert (driver.instance.data / "engine.lock").stat().st_ino == inode


def test_c17_closed_refuses_without_permit(driver):
    closed = driver.instance.folder / "closed"
    closed.touch()
    with refused("needs_attention"):
        driver.start()
    done = subprocess.run([LIBEXEC / "dbguest-launch", driver.instance.folder], check=False)
    assert done.returncode == 77
    assert not driver.instance.bound_pids()
    driver.start("permit")


def permit_of(pid):
    start_time = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    boot_id = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return json.dumps({"pid": pid, "start_time": int(start_time), "boot_id": boot_id})


def test_c17_permit_counts_on_tmpfs_while_its_giver_lives(driver):
    launcher = [LIBEXEC / "dbguest-launch", driver.instance.folder]
    permits = driver.instance.root / "run/permits"
    permits.mkdir()
    driver.instance.sockets.mkdir()
    (driver.instance.folder / "closed").touch()
    (permits / "main").write_text(permit_of(os.getpid()))
    assert subprocess.run(launcher, check=False).returncode == 77

    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", permits], check=True)
    try:
        with subprocess.Popen(["sleep", "1000"]) as giver:
            (permits / "main").write_text(permit_of(giver.pid))
            giver.kill()
        assert subprocess.run(launcher, check=False).returncode == 77

        (permits / "main").write_text(permit_of(os.getpid()))
        with subprocess.Popen(launcher):
            wait_for(lambda: driver.run("find") != "0" and driver.instance.bound_pids())
            driver.run("stop")
    finally:
        subprocess.run(["umount", permits], check=True)


def test_socket_folder_keeps_the_mode_that_a_gate_gave_it(driver):
    driver.start()
    assert driver.instance.sockets.stat().st_mode & 0o777 == 0o755
    assert driver.instance.sockets.stat().st_uid == driver.instance.uid
    driver.run("stop")
    driver.instance.sockets.chmod(0o700)
    driver.start()
    assert driver.instance.sockets.stat().st_mode & 0o777 == 0o700


def test_tree_path_takes_the_last_version(driver):
    for version in ["9.6", "13", "15"]:
        folder = driver.instance.tree / f"usr/lib/fake/{version}/bin"
        folder.mkdir(parents=True)
        (folder / "fake").touch()
    (driver.instance.tree / "usr/lib/fake/16").mkdir()
    (driver.instance.tree / "usr/bin/alias").symlink_to("/usr/lib/fake/13/bin/fake")

    assert driver.run("path", "usr/bin/none", "usr/lib/fake/*/bin/fake") == (
        "/usr/lib/fake/15/bin/fake")
    assert driver.run("path", "usr/bin/alias") == "/usr/bin/alias"
    assert driver.run("path", "usr/bin/none", "usr/*/none") == "none"
