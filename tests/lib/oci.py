"""OCI images made by hand, and a registry for them that fails as it is told."""
import base64
import hashlib
import http.server
import io
import json
import os
import platform
import subprocess
import tarfile
import threading

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def tar_of(*members):
    """Of (TarInfo, bytes) as tarfile makes them, whatever they say."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return raw.getvalue()


def member(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o755):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.devmajor, info.devminor = 1, 3
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def zstd(data):
    return subprocess.run(["zstd", "-qc", "-1"], input=data, capture_output=True, check=True).stdout


def gzip(data):
    return subprocess.run(["gzip", "-c", "-1"], input=data, capture_output=True, check=True).stdout


class Layout:
    """An OCI layout with one image, by the tag v1."""

    def __init__(self, folder):
        self.folder = folder
        self.layers = []
        self.digest = None
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def __str__(self):
        return str(self.folder)

    def blob(self, data):
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def path(self, digest):
        return self.folder / "blobs/sha256" / digest.removeprefix("sha256:")

    def layer(self, tar, pack=gzip):
        ending = {gzip: "+gzip", zstd: "+zstd", None: ""}[pack]
        row = {"mediaType": LAYER + ending, **self.blob(pack(tar) if pack else tar)}
        self.layers.append((row, "sha256:" + hashlib.sha256(tar).hexdigest()))
        return self

    def finish(self, tag="v1", **config):
        """config: User, Env, Volumes, ... as an image has them."""
        about = self.blob(json.dumps({
            "architecture": ARCHITECTURE, "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [diff for _, diff in self.layers]},
            "history": [{} for _ in self.layers]}).encode())
        manifest = self.blob(json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": CONFIG, **about},
            "layers": [row for row, _ in self.layers]}).encode())
        self.digest = manifest["digest"]
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
            {"mediaType": MANIFEST, **manifest,
             "annotations": {"org.opencontainers.image.ref.name": tag}}]}))
        return self


class Registry:
    """Serves a layout as NAME:v1 on loopback, by plain HTTP; for reading only."""

    def __init__(self, layout, name="db/engine", tags=("v1",)):
        self.layout, self.name, self.tags = layout, name, list(tags)
        self.fetched = []            # digests of blobs, as often as they went out whole
        self.stalls = {}             # digest: after how many bytes nothing more comes
        self.spoilt = set()          # digests whose blobs go out with another bit
        self.login = None            # "user:password" that is asked for
        self.going = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    @property
    def address(self):
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def image(self):
        return f"oci:docker://{self.address}/{self.name}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.going.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(registry):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                wanted = registry.login and "Basic " + base64.b64encode(
                    registry.login.encode()).decode()
                if wanted and self.headers.get("Authorization") != wanted:
                    self._answer(401, b"{}", **{"WWW-Authenticate": 'Basic realm="test"'})
                    return
                base = f"/v2/{registry.name}/"
                kind, _, what = self.path.removeprefix(base).partition("/")
                if self.path == "/v2/":
                    self._answer(200, b"{}")
                elif not self.path.startswith(base):
                    self._answer(404, b'{"errors":[{"code":"NAME_UNKNOWN"}]}')
                elif kind == "tags":
                    self._answer(200, json.dumps({"name": registry.name,
                                                  "tags": registry.tags}).encode())
                elif kind == "manifests":
                    self._manifest(what)
                else:
                    self._blob(what)

            def _manifest(self, what):
                digest = registry.layout.digest if what in registry.tags else what
                path = registry.layout.path(digest)
                if not path.exists():
                    self._answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
                    return
                self._answer(200, path.read_bytes(), **{"Content-Type": MANIFEST,
                                                        "Docker-Content-Digest": digest})

            def _blob(self, digest):
                data = bytearray(registry.layout.path(digest).read_bytes())
                if digest in registry.spoilt:
                    data[len(data) // 2] ^= 1
                stalls = registry.stalls.pop(digest, None)
                if stalls is None:
                    self._answer(200, bytes(data))
                    registry.fetched.append(digest)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[:stalls])
                self.wfile.flush()
                registry.going.wait()
                self.close_connection = True

            def _answer(self, status, data, **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

        return Handler


def plain_http(folder, *registries):
    """A command line's beginning: what follows it reaches these registries without TLS."""
    folder.mkdir(exist_ok=True)
    (folder / "plain.conf").write_text("".join(
        f'[[registry]]\nlocation = "{registry.address}"\ninsecure = true\n'
        for registry in registries))
    os.makedirs("/etc/containers/registries.conf.d", exist_ok=True)
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            f'mount --bind "{folder}" /etc/containers/registries.conf.d && exec "$@"', "sh"]
