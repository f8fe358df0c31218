"""Real engines under a real daemon. Trees come from the cache that tests/lib/trees fills."""
import json
import os
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "fault")]
from daemon import Daemon  # noqa: E402
from shop import PASSWORD, SHOPS  # noqa: E402

CACHE = pathlib.Path(os.environ.get("DBGUEST_TEST_CACHE", "/var/cache/dbguest"))
DATASTORES = ["postgresql", "mariadb", "mysql", "redis", "valkey"]


@pytest.fixture(scope="session")
def pulled():
    """What each suite gave: {"postgresql old": "15.18+deb12u1", ...}."""
    return json.loads((CACHE / "pulled.json").read_text())


@pytest.fixture(scope="module")
def daemon():
    with Daemon(versions=CACHE / "versions") as running:
        yield running


@pytest.fixture(scope="module", params=DATASTORES)
def datastore(request):
    return request.param


@pytest.fixture(scope="module")
def old(pulled, datastore):
    """The version to begin with; MySQL and Valkey have but one."""
    version = pulled.get(f"{datastore} old") or pulled.get(f"{datastore} new")
    if version is None:
        pytest.skip(f"WARNING: no tree of {datastore} could be made from today's suites")
    return version


@pytest.fixture(scope="module")
def new(pulled, datastore):
    if f"{datastore} old" not in pulled:
        pytest.skip(f"Debian has one {datastore} only: nothing to upgrade to")
    return pulled[f"{datastore} new"]


@pytest.fixture(scope="module")
def shop(datastore):
    return SHOPS[datastore]()


def create(daemon, shop, version, instance=None, port=None, **more):
    """An instance with the shop's database and its user anna."""
    user = {"name": "anna", "password": PASSWORD, "access": "all"}
    if shop.database:
        user["databases"] = [shop.database]
        more.setdefault("databases", [{"name": shop.database}])
    return daemon.call("instance.create", instance=instance or shop.datastore,
                       datastore=shop.datastore, version=version, port=port or shop.port,
                       users=[user], **more)


@pytest.fixture(scope="module")
def instance(daemon, shop, old):
    """A filled instance, by its name."""
    create(daemon, shop, old)
    shop.load(0.02)
    return shop.datastore
