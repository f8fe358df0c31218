"""Pulling a version: an image and a bundle, beside what a person would type for the image."""
import contextlib
import pathlib
import shutil
import subprocess
import tempfile
import time

from ground import Client, Daemon, median, say

DATASTORE = "postgresql"
PULL_GOAL = 0.9
BUNDLE_GOAL = 2.0
SERVING_GOAL = 0.9
QUIET_S = 6
CLIENTS = 8  # one alone is faster beside a pull: the processors do not fall asleep


def run(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def make_image(tree, layout):
    """As a site would make it: one layer, packed by gzip."""
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:v1")
    run("umoci", "insert", "--image", f"{layout}:v1", tree, "/")


def make_bundle(ground, folder, version):
    key = folder / "key.pem"
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
    key.chmod(0o600)
    (folder / "keys.d").mkdir()
    run("openssl", "pkey", "-in", key, "-pubout", "-out", folder / "keys.d/bench.pem")
    began = time.monotonic()
    size = ground.call("version.bundle", datastore=DATASTORE, version=version,
                              file=str(folder / "bundle"), key=str(key))["size_bytes"]
    say(f"bundle made: {size >> 20} MiB in {time.monotonic() - began:.1f} s")


def by_hand(folder, number):
    """skopeo and umoci; until all of it is on the disk."""
    place = folder / f"hand-{number}"
    place.mkdir()
    began = time.monotonic()
    run("skopeo", "copy", "--quiet", f"oci:{folder}/layout:v1", f"oci:{place}/copy:v1")
    run("umoci", "raw", "unpack", "--image", f"{place}/copy:v1", place / "tree")
    run("sync", "-f", place / "tree")
    return time.monotonic() - began


class Elsewhere(Daemon):
    """It has no versions, and trusts the bench's key. Engines that it would give way to it has none."""

    def __init__(self, folder, weight=100):
        super().__init__(folder=tempfile.mkdtemp(prefix="pull-", dir=folder),
                         config={"versions": {"keys_dir": folder / "keys.d",
                                              "pull_weight": weight}})
        self.versions.mkdir(parents=True, exist_ok=True)

    def pull(self, source):
        began = time.monotonic()
        version = self.call("version.pull", datastore=DATASTORE, source=source)["version"]
        return version, time.monotonic() - began


def pull_once(folder, source):
    """Into a place of its own. What was pulled goes at the end: where many files have just been
    removed ext4 is slow to make new ones."""
    elsewhere = Elsewhere(folder)
    try:
        return elsewhere.start().pull(source)[1]
    finally:
        elsewhere.stop()


def writes_per_s(ground, elsewhere, source):
    """Of clients that never pause; with a source while it is pulled, again and again."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(ground.tenant(DATASTORE), "work"))
                   for _ in range(CLIENTS)]
        began = time.monotonic()
        if source is None:
            time.sleep(QUIET_S)
        while source is not None and time.monotonic() - began < QUIET_S:
            version, _ = elsewhere.pull(source)
            elsewhere.call("version.remove", datastore=DATASTORE, version=version)
        took = time.monotonic() - began
    return sum(client.told[0] for client in clients) / took


def measure_serving(ground, table, elsewhere, sources):
    """What a serving engine loses while a version is pulled beside it."""
    instance = ground.create(DATASTORE)
    ground.fill(DATASTORE, 20)
    rounds = {name: ([], []) for name in sources}
    for _ in range(2 if ground.quick else 5):
        for name, source in sources.items():
            alone, beside = rounds[name]
            alone.append(writes_per_s(ground, elsewhere, None))
            beside.append(writes_per_s(ground, elsewhere, source))
            say(f"{name}: {alone[-1]:.0f} writes/s alone, {beside[-1]:.0f} beside a pull")
    for name, (alone, beside) in rounds.items():
        kept = median(beside) / median(alone)
        table.add(f"writes of a serving engine while {name} is pulled", f">= {SERVING_GOAL}x",
                  f"{kept:.2f}x ({median(beside):.0f}/s, {median(alone):.0f}/s)",
                  kept >= SERVING_GOAL)
    ground.delete(instance)


def measure_pulls(ground, table, folder, sources):
    took = {name: [] for name in ("by hand", *sources)}
    for number in range(3 if ground.quick else 7):
        took["by hand"].append(by_hand(folder, number))
        for name, source in sources.items():
            took[name].append(pull_once(folder, source))
        say(", ".join(f"{name} {times[-1]:.2f} s" for name, times in took.items()))
    hand = median(took["by hand"])
    for name, goal in (("an image", PULL_GOAL), ("a bundle", BUNDLE_GOAL)):
        ours = median(took[name])
        table.add(f"pull of {name}, verified, beside skopeo + umoci by hand", f">= {goal}x",
                  f"{hand / ours:.2f}x ({ours:.1f} s, {hand:.1f} s)", hand / ours >= goal)


def measure(ground, table):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-versions-", dir="/var/tmp"))
    version = ground.pulled[f"{DATASTORE} next"]
    sources = {"an image": f"oci:{folder}/layout:v1", "a bundle": f"bundle:{folder}/bundle"}
    elsewhere = None
    try:
        make_image(ground.versions / DATASTORE / version / "tree", folder / "layout")
        make_bundle(ground, folder, version)
        measure_pulls(ground, table, folder, sources)
        elsewhere = Elsewhere(folder, 10).start()
        measure_serving(ground, table, elsewhere, sources)
    finally:
        if elsewhere is not None:
            elsewhere.close()
        shutil.rmtree(folder, ignore_errors=True)
