"""What a person sees: dbguestctl on a terminal, with real engines behind it."""
import re
import sys

import pytest
from conftest import CACHE, TESTS, Daemon, create

sys.path.insert(0, str(TESTS / "daemon"))
from cli_stub import screen  # noqa: E402

WAIT_FOR_A_RESTART = {"postgresql": "max_connections=150", "mariadb": "performance_schema=1"}


@pytest.fixture(scope="module", params=["postgresql", "mariadb", "redis"])
def datastore(request):
    return request.param


@pytest.fixture
def say(daemon):
    """dbguestctl on a terminal of 110 columns: its exit code and its lines."""
    def words(*words):
        code, text = screen(daemon.socket, *words, columns=110)
        return code, text.splitlines()

    return words


def test_newer_version_is_one_that_it_may_become(say, instance, datastore, pulled, old, new):
    if new == old:
        pytest.skip(f"Debian has one {datastore} only")
    _, lines = say("instance", "show", instance)
    (newer,) = [line.split()[1] for line in lines if line.startswith("  newer ")]
    code, checked = say("instance", "check-upgrade", instance)
    assert code == 0 and re.match(rf"{instance}: {datastore} {re.escape(old)} -> "
                                  rf"{re.escape(newer)} by ", checked[0])
    if datastore in ("postgresql", "mariadb"):
        assert newer == pulled[f"{datastore} next"]  # another major is a way to go


def test_upgrade_tells_its_way_and_its_outage_before_and_after(say, instance, datastore, old, new):
    code, lines = say("instance", "upgrade", instance, new)
    assert code == 0, lines
    title = re.fullmatch(rf"(j\d+) instance\.upgrade {instance}: {datastore} {re.escape(old)} -> "
                         rf"{re.escape(new)}, outage [\d.]+ s expected", lines[0])
    assert title, lines
    for line in lines[1:-2]:
        assert re.match(r"  [a-z]+ +[\d.]+ s(  \S|$)", line), line
    assert re.fullmatch(rf"{instance} runs {re.escape(new)}, proved; outage [\d.]+ s \([\d.]+ s "
                        r"expected\), [\d.]+ s in all", lines[-2])
    assert lines[-1] == f"what was compared: dbguestctl job report {title[1]}"

    _, report = say("job", "report", title[1])
    assert re.search(r"committed \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", report[0])
    for name in ("BEFORE", "AFTER", "FOUND"):
        column = report[1].index(name)
        assert all(line[column - 2:column] == "  " and line[column] != " " for line in report[2:])
    _, shown = say("job", "show", title[1])
    assert re.search(r": ok, outage [\d.]+ s \([\d.]+ s expected\), [\d.]+ s in all$", shown[0])


def test_settings_that_wait_for_a_restart_are_named(say, instance, datastore):
    if datastore not in WAIT_FOR_A_RESTART:
        pytest.skip("Redis takes its settings at once")
    setting = WAIT_FOR_A_RESTART[datastore]
    code, lines = say("instance", "configure", instance, "--settings", setting)
    name = setting.partition("=")[0]
    assert code == 0 and lines[0].startswith(f"{instance} is configured; with the next start: ")
    assert name in lines[0]
    assert lines[1] == f"to have it now: dbguestctl instance restart {instance}"


def test_users_are_listed_with_what_they_may_use(say, instance, datastore):
    _, lines = say("user", "list", instance)
    kind = "KEYS" if datastore == "redis" else "DATABASES"
    assert kind in lines[0].split() and "anna" in lines[1]
    assert ("DATABASES" in lines[0]) != ("KEYS" in lines[0])


def test_pulled_version_names_the_instance_it_is_for(pulled, tmp_path, shop, datastore, old):
    if datastore != "redis":
        pytest.skip("the smallest is enough")
    versions = tmp_path / "versions" / datastore
    versions.mkdir(parents=True)
    (versions / old).symlink_to(CACHE / "versions" / datastore / old)
    tree = CACHE / "versions" / datastore / pulled[f"{datastore} next"] / "tree"
    with Daemon(versions=tmp_path / "versions") as daemon:
        create(daemon, shop, old, instance="cache", port=shop.port + 200)
        code, text = screen(daemon.socket, "version", "pull", datastore, f"dir:{tree}")
    assert code == 0
    assert re.search(r"is present after [\d.]+ s; next: dbguestctl instance check-upgrade cache "
                     r"8\.\S+$", text.splitlines()[-1])
