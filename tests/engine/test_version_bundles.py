"""Bundles: made and taken, and refused when anything about them is not as it was signed."""

import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from version_state import BUILD, State, refusal, state, tree  # noqa: F401

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

FIRST_LINE = b"dbguest bundle 1\n"
PEM = serialization.Encoding.PEM


class Key:
    """A key with its files; the public one where a state looks for it."""

    def __init__(self, folder, name="ops"):
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.name, self.path = name, folder / f"{name}.pem"
        self.path.write_bytes(self.key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.path.chmod(0o600)

    def public(self, encoding=PEM, form=serialization.PublicFormat.SubjectPublicKeyInfo):
        return self.key.public_key().public_bytes(encoding, form)

    def trust(self, state):
        (state.root / "keys.d").mkdir(exist_ok=True)
        (state.root / "keys.d" / f"{self.name}.pem").write_bytes(self.public())

    def digits(self):
        raw = self.public(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return hashlib.sha256(raw).hexdigest().encode()

    def seal(self, manifest, payload):
        """The bytes of a bundle, made without us."""
        rest = self.digits() + b"\n" + json.dumps(manifest).encode()
        head = FIRST_LINE + self.key.sign(FIRST_LINE + rest).hex().encode() + b"\n" + rest
        return struct.pack("<II", 0x184D2A50, len(head)) + head + payload


@pytest.fixture
def key(tmp_path):
    return Key(tmp_path)


@pytest.fixture
def there(tmp_path, key):
    """Where the bundle goes."""
    there = State(tmp_path / "there")
    key.trust(there)
    return there


@pytest.fixture
def version(state, tree):
    return state.pull(f"dir:{tree}")


@pytest.fixture
def bundle(state, version, key, tmp_path):
    path = tmp_path / "redis.dbguest"
    state.run("bundle", version["version"], path, key.path)
    return path


def manifest_of(path):
    data = path.read_bytes()
    length = struct.unpack("<I", data[4:8])[0]
    return json.loads(data[8:8 + length].split(b"\n", 3)[3]), data[8 + length:]


def test_bundle_is_the_same_version_elsewhere(there, version, bundle):
    row = there.pull(f"bundle:{bundle}")
    assert (row["version"], row["digest"]) == (version["version"], version["digest"])
    manifest = json.loads((there.versions / row["version"] / "manifest.json").read_text())
    assert manifest["bundle"]["signed_by"] == "ops.pem"
    assert manifest["bundle"]["source"] == version["source"]
    assert there.left() == [row["version"]]


def test_modes_of_folders_come_along(state, there, tree, key, tmp_path):
    (tree / "usr/local").mkdir(exist_ok=True)
    (tree / "usr/local").chmod(0o2775)
    (tree / "tmp").chmod(0o1777)
    version = state.pull(f"dir:{tree}")
    state.run("bundle", version["version"], tmp_path / "b", key.path)
    assert there.pull(f"bundle:{tmp_path}/b")["digest"] == version["digest"]


def test_bundle_of_a_version_that_is_present_is_not_unpacked_again(state, key, version, bundle):
    key.trust(state)
    row = state.pull(f"bundle:{bundle}", "j2")
    assert row["present_before"] and row["source"] == version["source"]


def test_bundle_tells_what_is_in_it_once_its_signature_was_right(there, version, bundle, tmp_path):
    row = there.run("available", f"bundle:{bundle}")["rows"][0]
    assert (row["version"], row["digest"], row["present"]) == \
        (version["version"], version["digest"], False)
    there.pull(f"bundle:{bundle}")
    assert there.run("available", f"bundle:{bundle}")["rows"][0]["present"] is True
    stranger = State(tmp_path / "stranger")
    assert refusal(stranger.run, "available", f"bundle:{bundle}")["reason"] == "denied"


def test_bundle_can_be_listed_without_us(bundle):
    listing = subprocess.run(f"zstd -dc {bundle} | tar t", shell=True, capture_output=True,
                             text=True, check=True).stdout
    assert "./usr/bin/redis-server\n" in listing


def test_bundle_replaces_nothing_and_leaves_nothing(state, version, bundle, key, tmp_path):
    before = bundle.read_bytes()
    error = refusal(state.run, "bundle", version["version"], bundle, key.path)
    assert error["reason"] == "exists" and bundle.read_bytes() == before
    error = refusal(state.run, "bundle", version["version"], "/nowhere/x", key.path)
    assert error["reason"] == "not_found"
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_key_that_others_may_read_is_refused(state, version, key, tmp_path):
    key.path.chmod(0o640)
    error = refusal(state.run, "bundle", version["version"], tmp_path / "new", key.path)
    assert error["reason"] == "denied" and "chmod 600" in error["hint"]


def test_key_that_is_none_is_refused(state, version, key, tmp_path):
    locked = tmp_path / "locked.pem"
    locked.touch(0o600)
    locked.write_bytes(key.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                             serialization.BestAvailableEncryption(b"secret")))
    public = tmp_path / "public.pem"
    public.touch(0o600)
    public.write_bytes(key.public())
    for path in (locked, public):
        error = refusal(state.run, "bundle", version["version"], tmp_path / "new", path)
        assert error["reason"] == "invalid", error


def test_bundle_of_a_key_that_is_not_trusted_is_denied(tmp_path, bundle):
    there = State(tmp_path / "stranger")
    assert refusal(there.pull, f"bundle:{bundle}")["reason"] == "denied"
    Key(tmp_path, "other").trust(there)
    error = refusal(there.pull, f"bundle:{bundle}")
    assert error["reason"] == "denied" and "keys.d" in error["message"]
    assert there.left() == []


def test_flipped_bit_at_any_place_is_noticed(there, bundle, tmp_path):
    """Each region of the head, and all over the payload."""
    whole = bundle.read_bytes()
    payload = 8 + struct.unpack("<I", whole[4:8])[0]
    places = [*range(0, 8), *range(8, 25, 4), *range(25, 154, 16), *range(154, 218, 8), 218,
              *range(219, 1200, 61), payload - 1, payload,
              *range(payload + 1, len(whole), len(whole) // 40), len(whole) - 1]
    spoilt = tmp_path / "spoilt"
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        spoilt.write_bytes(data)
        error = refusal(there.pull, f"bundle:{spoilt}")
        assert error["reason"] == "corrupt" or \
            error["reason"] == "denied" and 154 <= place < 218, (place, error)
        assert there.left() == [], place


def test_cut_or_longer_bundle_is_noticed(there, bundle, tmp_path):
    whole = bundle.read_bytes()
    spoilt = tmp_path / "spoilt"
    for data, words in [(whole[:-1], "cut off"), (whole[:len(whole) // 2], "cut off"),
                        (whole[:300], "ends within"), (whole[:5], "no bundle"), (b"", "no bundle"),
                        (whole + b"x", "1 bytes follow"), (whole + whole, "follow")]:
        spoilt.write_bytes(data)
        error = refusal(there.pull, f"bundle:{spoilt}")
        assert error["reason"] == "corrupt" and words in error["message"], error
    assert there.left() == []


def test_head_of_another_bundle_is_noticed(state, there, tree, key, bundle, tmp_path):
    """Both are signed, and of the same length."""
    manifest, payload = manifest_of(bundle)
    other = bytearray(payload)
    other[len(other) // 2] ^= 1
    whole = bundle.read_bytes()
    mixed = tmp_path / "mixed"
    mixed.write_bytes(whole[:-len(payload)] + other)
    error = refusal(there.pull, f"bundle:{mixed}")
    assert error["reason"] == "corrupt" and "sum" in error["message"]


def test_bundle_that_is_not_for_here_is_incompatible(there, bundle, key, tmp_path):
    manifest, payload = manifest_of(bundle)
    for member, value in [("datastore", "valkey"), ("architecture", "riscv128")]:
        changed = {**manifest, "version": {**manifest["version"], member: value}}
        path = tmp_path / member
        path.write_bytes(key.seal(changed, payload))
        assert refusal(there.pull, f"bundle:{path}")["reason"] == "incompatible"


def test_bundle_whose_tree_is_another_is_corrupt(there, bundle, key, tmp_path):
    manifest, payload = manifest_of(bundle)
    manifest["version"]["digest"] = "sha256:" + "0" * 64
    path = tmp_path / "other"
    path.write_bytes(key.seal(manifest, payload))
    assert refusal(there.pull, f"bundle:{path}")["reason"] == "corrupt"
    assert there.left() == []


def member(name, kind=tarfile.REGTYPE, link="", data=b"owned"):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o4755
    info.devmajor, info.devminor = 1, 3
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, io.BytesIO(data)


def packed(*members):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, data)
    return subprocess.run(["zstd", "-qc"], input=raw.getvalue(), capture_output=True,
                          check=True).stdout


HOSTILE = {
    "a way up": lambda out: [member("../victim")],
    "a way up in the middle": lambda out: [member("usr/../../victim")],
    "a way up at the end": lambda out: [member("usr/..", tarfile.DIRTYPE)],
    "through a link": lambda out: [member("a", tarfile.SYMTYPE, str(out)), member("a/victim")],
    "through a link that climbs": lambda out: [
        member("a", tarfile.SYMTYPE, "../" * 30 + str(out)[1:]), member("a/victim")],
    "a hard link out": lambda out: [member("a", tarfile.LNKTYPE, f"{out}/secret")],
    "a hard link that climbs": lambda out: [member("a", tarfile.LNKTYPE, "../secret")],
    "a hard link through a link": lambda out: [
        member("a", tarfile.SYMTYPE, str(out)), member("b", tarfile.LNKTYPE, "a/secret")],
    "a hard link to a link": lambda out: [
        member("a", tarfile.SYMTYPE, f"{out}/secret"), member("b", tarfile.LNKTYPE, "a")],
    "a device": lambda out: [member("usr/null", tarfile.CHRTYPE)],
    "a disk": lambda out: [member("usr/sda", tarfile.BLKTYPE)],
}


@pytest.mark.parametrize("how", HOSTILE)
def test_what_leaves_its_folder_is_refused_even_if_it_is_signed(there, bundle, key, tmp_path, how):
    out = tmp_path / "out"
    out.mkdir()
    (out / "secret").write_text("mine")
    manifest, _ = manifest_of(bundle)
    payload = packed(member("usr/", tarfile.DIRTYPE), *HOSTILE[how](out))
    manifest |= {"payload_bytes": len(payload), "block_bytes": 1 << 20,
                 "sums": [hashlib.sha256(payload).hexdigest()]}
    path = tmp_path / "hostile"
    path.write_bytes(key.seal(manifest, payload))
    error = refusal(there.pull, f"bundle:{path}")
    assert error["reason"] == "corrupt", error
    assert os.listdir(out) == ["secret"] and (out / "secret").read_text() == "mine"
    assert os.stat(out / "secret").st_nlink == 1
    assert there.left() == []


def test_what_belongs_to_a_tree_comes_as_it_is(there, tmp_path):
    """Links that mean something inside only, hard links, long names; no set-uid bits, no devices."""
    long = "usr/" + "/".join(["x" * 60] * 5) + "/\u00e4\u00f6"
    payload = packed(member("usr/", tarfile.DIRTYPE), member("/usr/a"),
                     member("usr/hard", tarfile.LNKTYPE, "/usr/a"),
                     member("usr/link", tarfile.SYMTYPE, "/etc/passwd"), member(long),
                     member("dev/null", tarfile.CHRTYPE), member("usr/pipe", tarfile.FIFOTYPE),
                     member("usr/.wh.a"))
    plan, folder = tmp_path / "plan.json", tmp_path / "folder"
    (tmp_path / "layer").write_bytes(payload)
    plan.write_text(json.dumps({"image": False, "layers": [
        {"file": str(tmp_path / "layer"), "offset": 0, "bytes": len(payload),
         "block_bytes": len(payload), "sums": [hashlib.sha256(payload).hexdigest()]}]}))
    folder.mkdir()
    program = BUILD / "agent/version/dbguest-unpack"
    subprocess.run([program, plan, folder], check=True)
    assert os.stat(folder / "usr/a").st_ino == os.stat(folder / "usr/hard").st_ino
    assert os.stat(folder / "usr/a").st_mode & 0o7777 == 0o755
    assert os.readlink(folder / "usr/link") == "/etc/passwd"
    assert (folder / long).read_text() == "owned"
    assert (folder / "usr/.wh.a").exists()
    assert not (folder / "usr/pipe").exists() and os.listdir(folder / "dev") == []
    shutil.rmtree(folder)
