"""Tools in namespaces of their own, on the data of an engine that runs or does not."""


import pytest

from engine_layer import make_driver, make_drivers, make_root, refused  # noqa: F401
from wait import wait_for


def test_tool_runs_in_the_tree_and_returns_what_it_said(driver):
    uid = driver.instance.uid
    assert driver.run("tool", "-", "/bin/sh", "-c", "id -u; echo $LANG; echo $$") == (
        f"{uid}\nC.UTF-8\n2")
    assert driver.run("tool", "i", "/bin/cat", input="from outside") == "from outside"
    assert driver.run("tool", "w", "/bin/ls", "/var/lib") == ""
    status = driver.run("tool", "r", "/bin/cat", "/proc/self/status")
    assert "CapEff:\t0000000000000002" in status
    assert "CapBnd:\t0000000000000002" in status


def test_tool_that_fails_is_quoted(driver):
    with refused("engine") as info:
        driver.run("tool", "-", "/bin/sh", "-c", "echo no luck >&2; exit 3")
    assert "status 3" in str(info.value)
    assert info.value.native == "no luck"
    with refused("engine") as info:
        driver.run("tool", "-", "/bin/sh", "-c", "kill -9 $$")
    assert "status 137" in str(info.value)
    with refused("internal") as info:
        driver.run("tool", "-", "/bin/nothing")
    assert "cannot execute '/bin/nothing'" in str(info.value)


def test_tool_on_stopped_data_is_busy_while_the_engine_runs(driver):
    driver.start()
    with refused("busy"):
        driver.run("tool", "s", "/bin/id")
    assert driver.run("tool", "-", "/bin/id", "-un") == "faker"
    driver.run("stop")
    assert driver.run("tool", "s", "/bin/id", "-un") == "faker"


def test_engine_does_not_start_while_a_tool_is_on_its_data(driver):
    with driver.spawn("tool", "s", "/bin/sh", "-c", "while test ! -e /var/lib/dbguest/data/end; "
                      "do sleep 0.1; done") as tool:
        wait_for(lambda: len(driver.instance.bound_pids()) >= 2)
        with refused("busy"):
            driver.start()
        (driver.instance.data / "files/end").touch()
        assert tool.wait(10) == 0
    driver.start()


def test_c09_tool_ends_with_what_it_left_behind(driver):
    driver.run("tool", "s", "/bin/sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & exit 0")
    assert not driver.instance.bound_pids()
    driver.run("prove")


@pytest.mark.parametrize("flags", ["s", "sr"])
def test_c09_tool_dies_with_its_worker(driver, flags):
    worker = driver.spawn("tool", flags, "/bin/sh", "-c",
                          "setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 2000' & wait")
    wait_for(lambda: len(driver.instance.bound_pids()) >= 5)
    worker.kill()
    worker.wait()
    wait_for(lambda: not driver.instance.bound_pids(), seconds=2)
    driver.run("prove")
