"""Versions from folders, images and packages. Needs root, umoci, skopeo and mmdebstrap.

Only the tests of `apt:` make a real tree.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from version_state import ENVIRONMENT, State, refusal, state, tree  # noqa: F401

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

STATUS = """Package: redis-server
Status: install ok installed
Version: 5:7.0.15-1~deb12u7
"""


@pytest.fixture
def layout(tmp_path, tree):
    layout = tmp_path / "layout"
    for words in [["init", "--layout", layout], ["new", "--image", f"{layout}:v1"],
                  ["insert", "--image", f"{layout}:v1", tree, "/"],
                  ["config", "--image", f"{layout}:v1", "--config.user", "redis",
                   "--config.env", "A=b"]]:
        subprocess.run(["umoci", *map(str, words)], check=True, capture_output=True)
    return layout


def digest_of(layout):
    return json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]


def test_folder_without_packages_is_named_by_its_digest(state, tree):
    row = state.pull(f"dir:{tree}")
    digest = row["digest"].removeprefix("sha256:")
    assert row["version"] == f"7.0.15+{digest[:8]}"
    assert state.left() == [row["version"]]


def test_package_in_the_tree_names_the_version(state, tree):
    (tree / "var/lib/dpkg").mkdir()
    (tree / "var/lib/dpkg/status").write_text(STATUS)
    assert state.pull(f"dir:{tree}")["version"] == "7.0.15+deb12u7"


def test_tree_is_roots_without_devices_and_set_uid_bits(state, tree):
    os.mknod(tree / "dev/zero", 0o666 | 0o020000, os.makedev(1, 5))
    os.chown(tree / "usr/bin/redis-server", 100, 100)
    version = state.pull(f"dir:{tree}")["version"]
    there = state.versions / version / "tree"
    program = os.stat(there / "usr/bin/redis-server")
    assert (program.st_uid, program.st_mode & 0o7777) == (0, 0o755)
    assert not (there / "dev/zero").exists()


def test_links_at_mount_points_are_refused(state, tree, tmp_path):
    shutil.rmtree(tree / "run")
    (tree / "run").symlink_to(tmp_path)
    assert refusal(state.pull, f"dir:{tree}")["reason"] == "incompatible"
    assert state.left() == []


def test_same_version_again_is_present_before(state, tree):
    assert state.pull(f"dir:{tree}")["present_before"] is False
    again = state.pull(f"dir:{tree}", "j2")
    assert again["present_before"] is True
    assert state.left() == [again["version"]]


def test_same_version_with_another_digest_exists(state, tree):
    (tree / "var/lib/dpkg").mkdir()
    (tree / "var/lib/dpkg/status").write_text(STATUS)
    state.pull(f"dir:{tree}")
    (tree / "etc/other").write_text("x")
    assert refusal(state.pull, f"dir:{tree}", "j2")["reason"] == "exists"
    assert state.left() == ["7.0.15+deb12u7"]


def test_tree_of_another_engine_is_incompatible(state, tree):
    (tree / "usr/bin/redis-server").write_text("#!/usr/bin/sh\necho mysqld\n")
    assert refusal(state.pull, f"dir:{tree}")["reason"] == "incompatible"
    assert state.left() == []


@pytest.mark.parametrize("folder, reason", [("/nowhere", "not_found"), ("/", "invalid")])
def test_folder_that_cannot_be_one(state, folder, reason):
    assert refusal(state.pull, f"dir:{folder}")["reason"] == reason


def test_image_by_tag_and_by_digest_is_the_folders_tree(state, tree, layout):
    of_folder = state.pull(f"dir:{tree}")
    by_tag = state.pull(f"oci:{layout}:v1", "j2")
    by_digest = state.pull(f"oci:{layout}@{digest_of(layout)}", "j3")
    assert by_tag["digest"] == by_digest["digest"] == of_folder["digest"]


def test_image_says_how_it_wants_to_be_run(state, layout):
    version = state.pull(f"oci:{layout}@{digest_of(layout)}")["version"]
    manifest = json.loads((state.versions / version / "manifest.json").read_text())
    assert manifest["image"]["user"] == "redis"
    assert "A=b" in manifest["image"]["env"]
    assert manifest["asked_for"] == manifest["image"]["digest"] == digest_of(layout)


def test_unknown_tag_and_digest_are_not_found(state, layout):
    assert refusal(state.pull, f"oci:{layout}:v2")["reason"] == "not_found"
    assert refusal(state.pull, f"oci:{layout}@sha256:{'0' * 64}")["reason"] == "not_found"
    assert state.left() == []


def test_tags_of_a_layout_are_listed(state, layout):
    rows = state.run("available", f"oci:{layout}")["rows"]
    assert [row["source"] for row in rows] == [f"oci:{layout}:v1"]
    state.pull(rows[0]["source"])
    assert refusal(state.run, "available", "oci:/nowhere")["reason"] == "not_found"


def test_folder_tells_what_its_packages_do(state, tree):
    source = f"dir:{tree}"
    assert state.run("available", source)["rows"][0]["version"] is None
    (tree / "var/lib/dpkg").mkdir()
    (tree / "var/lib/dpkg/status").write_text(STATUS)
    row = state.run("available", source)["rows"][0]
    assert row["version"] == "7.0.15+deb12u7" and row["source"] == source
    assert row["size_bytes"] > 0 and state.left() == []
    assert refusal(state.run, "available", "dir:/nowhere")["reason"] == "not_found"


def test_suite_tells_its_version_before_it_is_pulled(state):
    source = "apt:" + suite()
    row = state.run("available", source)["rows"][0]
    assert row["present"] is False and state.left() == []
    assert state.pull(source)["version"] == row["version"]
    assert state.run("available", source)["rows"][0]["present"] is True


def test_look_that_died_is_swept_and_one_that_lives_is_not(state):
    (state.versions / f".pull-read-{os.getpid()}").mkdir(parents=True)
    (state.versions / ".pull-read-999999999").mkdir()
    state.run("sweep")
    assert state.left() == [f".pull-read-{os.getpid()}"]


def test_spoilt_layer_is_corrupt(state, layout):
    layer = max((layout / "blobs/sha256").iterdir(), key=lambda blob: blob.stat().st_size)
    with open(layer, "r+b") as file:
        file.seek(1000)
        file.write(b"spoilt")
    assert refusal(state.pull, f"oci:{layout}:v1")["reason"] == "corrupt"
    assert state.left() == []


def test_signature_policy_of_the_site_is_kept(state, layout, tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"default": [{"type": "reject"}]}))
    error = refusal(state.pull, f"oci:{layout}:v1", VERSION_DRIVER_POLICY=str(policy))
    assert error["reason"] == "denied"
    assert state.left() == []


def test_registry_that_does_not_answer(state):
    error = refusal(state.pull, "oci:docker://127.0.0.1:1/redis:8")
    assert error["reason"] == "internal"
    assert "connection refused" in error["message"]


@pytest.fixture
def small_disk(tmp_path):
    image, folder = tmp_path / "disk", tmp_path / "small"
    folder.mkdir()
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("source", ["dir", "apt"])
def test_full_disk_is_told_beforehand_and_keeps_nothing(small_disk, tree, source):
    with open(tree / "usr/large", "wb") as file:
        file.write(os.urandom(80 << 20))
    state = State(small_disk / "state")
    error = refusal(state.pull, "apt:" + suite() if source == "apt" else f"dir:{tree}")
    assert error["reason"] == "no_space"
    assert error["path"].startswith(str(small_disk))
    assert error["free_bytes"] < error["needed_bytes"]
    assert state.left() == []


def suite():
    words = dict(line.split("=", 1) for line in open("/etc/os-release").read().splitlines() if line)
    return words["VERSION_CODENAME"].strip('"')


def processes_in(folder):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(str(folder)):
                found.append(int(pid))
        except OSError:
            pass
    return found


def until(condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_killed_pull_of_packages_leaves_no_process_and_no_mount(state):
    source = "apt:" + suite()
    running = subprocess.Popen(state.argv("pull", "j1", source), stdout=subprocess.DEVNULL,
                               env=ENVIRONMENT)
    part = state.versions / ".pull-j1/tree.part"
    until(lambda: (part / "var/lib/dpkg/status").exists(), 120)
    running.send_signal(signal.SIGKILL)
    running.wait()
    until(lambda: not processes_in(state.root), 5)
    assert str(state.root) not in pathlib.Path("/proc/self/mountinfo").read_text()

    packages = list(state.versions.glob(".kept-*/archives/*.deb"))
    assert len(packages) > 20
    held = [(path.name, path.stat().st_mtime_ns) for path in packages]
    again = subprocess.Popen(state.argv("pull", "j1", source), stdout=subprocess.PIPE, text=True,
                             env=ENVIRONMENT)
    unpacking = state.versions / ".pull-j1/tree.part"
    until(lambda: not (unpacking / "var/lib/dpkg/status").exists(), 60)
    until(lambda: (unpacking / "var/lib/dpkg/status").exists(), 120)
    assert [(path.name, path.stat().st_mtime_ns) for path in packages] == held
    row = json.loads(again.communicate()[0])
    assert state.left() == [row["version"]]
    tree = state.versions / row["version"] / "tree"
    assert not list((tree / "etc/apt").rglob("*.list"))
    assert (tree / "etc/hosts").read_text() == "127.0.0.1 localhost\n::1 localhost\n"


def test_unknown_suite_is_not_found_and_the_known_ones_are_the_hint(state):
    for unknown in ("nosuch-security-suite", "nosuch"):
        error = refusal(state.pull, "apt:" + unknown)
        assert error["reason"] == "not_found"
        assert error["hint"].startswith("this machine's apt configuration has ")
        assert f" {suite()} " in error["hint"].replace(";", " ")
        assert state.left() == []


def test_sweep_takes_what_a_killed_pull_left(state):
    (state.versions / ".pull-j9/tree.part").mkdir(parents=True)
    state.run("sweep")
    assert state.left() == []
