"""Pulling a version: an image and a bundle, beside what a person would type for the image."""
import pathlib
import shutil
import subprocess
import tempfile
import time

from ground import Daemon, median, say

DATASTORE = "postgresql"
PULL_GOAL = 0.9
BUNDLE_GOAL = 2.0


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


def by_hand(folder):
    """skopeo and umoci; until all of it is on the disk."""
    began = time.monotonic()
    run("skopeo", "copy", "--quiet", f"oci:{folder}/layout:v1", f"oci:{folder}/copy:v1")
    run("umoci", "raw", "unpack", "--image", f"{folder}/copy:v1", folder / "tree")
    run("sync", "-f", folder / "tree")
    took = time.monotonic() - began
    shutil.rmtree(folder / "copy")
    shutil.rmtree(folder / "tree")
    return took


class Elsewhere:
    """A daemon with no versions, which trusts the bench's key."""

    def __init__(self, folder):
        self.daemon = Daemon(config={"versions": {"keys_dir": folder / "keys.d"}})
        self.daemon.versions.mkdir(parents=True, exist_ok=True)

    def pull(self, source):
        began = time.monotonic()
        version = self.daemon.call("version.pull", datastore=DATASTORE, source=source)["version"]
        took = time.monotonic() - began
        self.daemon.call("version.remove", datastore=DATASTORE, version=version)
        return took


def measure(ground, table):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-versions-", dir="/var/tmp"))
    version = ground.pulled[f"{DATASTORE} next"]
    elsewhere = Elsewhere(folder)
    hand, image, bundle = [], [], []
    try:
        make_image(ground.versions / DATASTORE / version / "tree", folder / "layout")
        make_bundle(ground, folder, version)
        elsewhere.daemon.start()
        for _ in range(3 if ground.quick else 7):
            hand.append(by_hand(folder))
            image.append(elsewhere.pull(f"oci:{folder}/layout:v1"))
            bundle.append(elsewhere.pull(f"bundle:{folder}/bundle"))
            say(f"by hand {hand[-1]:.2f} s, image {image[-1]:.2f} s, bundle {bundle[-1]:.2f} s")
    finally:
        elsewhere.daemon.close()
        shutil.rmtree(folder, ignore_errors=True)
    rate, faster = median(hand) / median(image), median(hand) / median(bundle)
    table.add("pull of an image, verified, beside skopeo + umoci by hand", f">= {PULL_GOAL}x",
              f"{rate:.2f}x ({median(image):.1f} s, {median(hand):.1f} s)", rate >= PULL_GOAL)
    table.add("pull of a bundle, verified, beside skopeo + umoci by hand", f">= {BUNDLE_GOAL}x",
              f"{faster:.2f}x ({median(bundle):.1f} s, {median(hand):.1f} s)",
              faster >= BUNDLE_GOAL)
