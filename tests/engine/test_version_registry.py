"""Images of a registry: continued after a kill, verified blob by blob, by the site's policy."""

import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from oci import Layout, Registry, gzip, member, plain_http, tar_of, zstd  # noqa: E402
from version_state import ENVIRONMENT, State, refusal, tree  # noqa: F401,E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Client(State):
    """Reaches the registry."""

    def __init__(self, root, registry):
        super().__init__(root)
        self.head = plain_http(root / "registries", registry)

    def argv(self, *args):
        return self.head + super().argv(*args)

    def kept(self):
        return [name for name in self.left() if name.startswith(".kept-")]


def tar_tree(tree):
    return subprocess.run(["tar", "-C", str(tree), "-c", "."], capture_output=True,
                          check=True).stdout


@pytest.fixture
def layout(tmp_path, tree):
    """Three layers: a large one, one that takes away and replaces, one by zstd."""
    filler = [member("usr/share/filler", os.urandom(3 << 20)), member("usr/share/old", b"old"),
              member("usr/share/gone/a", b"a")]
    changes = [member("usr/share/.wh.old"), member("usr/share/gone/.wh..wh..opq"),
               member("usr/share/gone/b", b"b"), member("usr/share/filler", os.urandom(2 << 20))]
    return (Layout(tmp_path / "layout").layer(tar_of(*filler)).layer(tar_of(*changes))
            .layer(tar_tree(tree), zstd).finish(Env=["A=b"], User="redis"))


@pytest.fixture
def registry(layout):
    with Registry(layout) as registry:
        yield registry


@pytest.fixture
def state(tmp_path, registry):
    return Client(tmp_path / "state", registry)


def tree_of(state, row):
    return state.versions / row["version"] / "tree"


def test_layers_make_one_tree_and_take_away_what_they_say(state, registry):
    row = state.pull(f"{registry.image}:v1")
    share = tree_of(state, row) / "usr/share"
    assert (share / "filler").stat().st_size == 2 << 20
    assert not (share / "old").exists()
    assert os.listdir(share / "gone") == ["b"]
    assert state.left() == [row["version"]]


def test_digest_that_is_present_is_not_fetched_again(state, registry, layout):
    row = state.pull(f"{registry.image}:v1")
    fetched = list(registry.fetched)
    for source in (f"{registry.image}:v1", f"{registry.image}@{layout.digest}"):
        again = state.pull(source, "j2")
        assert again["present_before"] and again["version"] == row["version"]
    assert registry.fetched == fetched


def test_killed_pull_goes_on_with_the_blobs_that_have_come(state, registry, layout):
    layers = [row["digest"] for row, _ in layout.layers]
    registry.stalls[layers[0]] = 1 << 20
    source = f"{registry.image}:v1"
    running = subprocess.Popen(state.argv("pull", "j1", source), stdout=subprocess.DEVNULL,
                               env=ENVIRONMENT)
    ends = time.monotonic() + 20
    while not set(layers[1:]) <= set(registry.fetched):
        assert time.monotonic() < ends, registry.fetched
        time.sleep(0.02)
    blobs = [state.versions / state.kept()[0] / "blobs/sha256" / name[7:] for name in layers[1:]]
    while not all(path.exists() for path in blobs):
        assert time.monotonic() < ends
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert registry.fetched.count(layers[0]) == 0

    row = state.pull(source, "j2")
    assert [registry.fetched.count(digest) for digest in layers] == [1, 1, 1]
    state.run("sweep")
    assert state.left() == [row["version"]]


def test_registry_that_goes_away_leaves_what_has_come_for_the_next_try(state, registry, layout):
    layers = [row["digest"] for row, _ in layout.layers]
    registry.stalls[layers[0]] = 1 << 20
    threading.Timer(2, registry.going.set).start()
    error = refusal(state.pull, f"{registry.image}:v1")
    assert error["reason"] == "internal" and "goes on" in error["hint"], error
    state.pull(f"{registry.image}:v1", "j2")
    assert [registry.fetched.count(digest) for digest in layers] == [1, 1, 1]
    assert state.kept() == []


def test_blob_with_another_digest_is_refused_and_not_kept(state, registry, layout):
    for row, _ in layout.layers:
        registry.spoilt = {row["digest"]}
        error = refusal(state.pull, f"{registry.image}:v1")
        assert error["reason"] == "corrupt", error
        assert state.left() == []


def test_kept_blob_that_was_torn_is_noticed_before_it_is_published(state, registry, layout):
    """As after a power cut, which no digest of skopeo's sees any more."""
    layer = layout.layers[0][0]
    registry.stalls[layer["digest"]] = 10
    source = f"{registry.image}:v1"
    running = subprocess.Popen(state.argv("pull", "j1", source), stdout=subprocess.DEVNULL,
                               env=ENVIRONMENT)
    ends = time.monotonic() + 20
    while not state.kept() and time.monotonic() < ends:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    registry.stalls.clear()
    blob = state.versions / state.kept()[0] / "blobs/sha256" / layer["digest"][7:]
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(b"\0" * layer["size"])
    assert refusal(state.pull, source, "j2")["reason"] == "corrupt"
    assert state.kept() == []
    state.pull(source, "j3")


def test_registry_is_told_who_we_are_from_a_file(state, registry, tmp_path):
    registry.login = "anna:registry-secret-7"
    error = refusal(state.pull, f"{registry.image}:v1")
    assert error["reason"] == "denied", error
    authfile = tmp_path / "auth.json"
    authfile.write_text(json.dumps({"auths": {registry.address: {
        "auth": base64.b64encode(registry.login.encode()).decode()}}}))
    state.pull(f"{registry.image}:v1", VERSION_DRIVER_AUTHFILE=str(authfile))


def test_unknown_names_are_not_found(state, registry):
    for source in (f"{registry.image}:v2", f"{registry.image}@sha256:{'0' * 64}",
                   f"oci:docker://{registry.address}/other:v1"):
        assert refusal(state.pull, source)["reason"] == "not_found"
    assert state.left() == []


def test_tags_of_a_registry_are_listed_in_order_and_nothing_is_fetched(state, registry):
    registry.tags = ["8.10", "8.2", "v1", "8.2-rc1"]
    for source in (registry.image, f"{registry.image}:8.2"):
        rows = state.run("available", source)["rows"]
        assert [row["source"] for row in rows] == [
            f"{registry.image}:{tag}" for tag in ("8.2", "8.2-rc1", "8.10", "v1")]
        assert {row["version"] for row in rows} == {None}
    assert registry.fetched == [] and state.left() == []
    error = refusal(state.run, "available", f"oci:docker://{registry.address}/other")
    assert error["reason"] == "not_found", error


@pytest.mark.parametrize("how, members", {
    "a way up": [member("../victim", b"x")],
    "a hard link out": [member("a", kind=b"1", link="../../secret")],
    "a way through a link that leads out": [member("a", kind=b"2", link="/tmp"),
                                            member("a/nosuch/../victim", b"x")],
    "a link to nowhere inside": [member("a", kind=b"2", link="/root/nosuch"),
                                 member("a/victim", b"x")],
    "a device": [member("usr/mem", kind=b"3")],
    "a whiteout that climbs": [member("usr/.wh...")],
}.items())
def test_layer_that_leaves_its_folder_is_refused(tmp_path, tree, how, members):
    state = State(tmp_path / "state")
    layout = (Layout(tmp_path / "layout").layer(tar_tree(tree)).layer(tar_of(*members), gzip)
              .finish())
    error = refusal(state.pull, f"oci:{layout}:v1")
    assert error["reason"] == "corrupt", (how, error)
    assert state.left() == []


def test_absolute_link_and_what_is_behind_it_stay_inside(tmp_path, tree):
    out = tmp_path / "out"
    out.mkdir()
    state = State(tmp_path / "state")
    layout = (Layout(tmp_path / "layout").layer(tar_tree(tree))
              .layer(tar_of(member(f"{out}/"[1:], kind=b"5"),
                            member("a", kind=b"2", link=str(out)), member("a/inside", b"x")))
              .finish())
    row = state.pull(f"oci:{layout}:v1")
    assert os.listdir(out) == []
    assert (state.versions / row["version"] / f"tree{out}/inside").read_bytes() == b"x"


@pytest.fixture
def gpg(tmp_path, monkeypatch):
    home = tmp_path / "gpg"
    home.mkdir(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))

    def make(name):
        subprocess.run(["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", name,
                        "rsa2048", "sign"], check=True, capture_output=True)
        public = subprocess.run(["gpg", "--armor", "--export", name], check=True,
                                capture_output=True).stdout
        (tmp_path / f"{name}.asc").write_bytes(public)
        listing = subprocess.run(["gpg", "--list-keys", "--with-colons", name], check=True,
                                 capture_output=True, text=True).stdout
        return next(line.split(":")[9] for line in listing.splitlines() if line[:3] == "fpr")

    yield make
    subprocess.run(["gpgconf", "--kill", "all"], check=False)


def test_only_images_that_the_sites_key_has_signed_may_come(tmp_path, registry, layout, gpg):
    ours, other = gpg("ours"), gpg("other")
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"default": [{"type": "signedBy", "keyType": "GPGKeys",
                                               "keyPath": str(tmp_path / "ours.asc")}]}))
    lookaside = tmp_path / "sigs"
    place = lookaside / f"{registry.name}@sha256={layout.digest[7:]}"
    place.mkdir(parents=True)
    folder = tmp_path / "registries.d"
    folder.mkdir()
    (folder / "test.yaml").write_text(f"default-docker:\n  sigstore: file://{lookaside}\n")
    os.makedirs("/etc/containers/registries.d", exist_ok=True)

    state = Client(tmp_path / "state", registry)
    state.head = state.head[:-2] + [
        f'mount --bind "{folder}" /etc/containers/registries.d && {state.head[-2]}', "sh"]
    source = f"{registry.image}:v1"

    def sign(key):
        subprocess.run(["skopeo", "standalone-sign", layout.path(layout.digest),
                        f"{registry.address}/{registry.name}:v1", key, "-o",
                        place / "signature-1"], check=True, capture_output=True)

    env = {"VERSION_DRIVER_POLICY": str(policy)}
    assert refusal(state.pull, source, **env)["reason"] == "denied"
    sign(other)
    assert refusal(state.pull, source, **env)["reason"] == "denied"
    assert registry.fetched == []
    sign(ours)
    row = state.pull(source, **env)
    assert state.left() == [row["version"]]
