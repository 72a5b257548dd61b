"""The real nginx with the configuration that is shipped, before hubs of a test.

Only what a site has to change is changed: where it listens, its certificate, its log, its hubs. It
runs as one unprivileged user, so that its own folders are in the test's. Knows nothing of pytest.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests import ROOT
from tests.hubs import DEADLINE_S, Answer
from tests.servers import PrivateServer, free_port

SHIPPED = ROOT / "deploy" / "nginx"
KEPT_IN_FOLDER = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Nginx(PrivateServer):
    """`port` takes TLS, `plain_port` does not; `ports` are those of the hubs."""

    def __init__(self, program: Path, ports: Iterable[int]) -> None:
        super().__init__()
        self.program = program
        self.ports = list(ports)
        self.plain_port = 0
        self.certificate = self.folder / "weir.crt"
        make_certificate(self.certificate, self.folder / "weir.key")

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}/ws/ingest/"

    @property
    def trusting(self) -> ssl.SSLContext:
        """Of a client that believes this nginx's certificate, and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))

    @property
    def log(self) -> str:
        """A line for each request that is over, and the hub that it was passed to."""
        return (self.folder / "weir.log").read_text()

    def command(self) -> list[str]:
        self.plain_port = free_port()
        self._write()
        return [
            *(str(self.program), "-c", str(self.folder / "etc" / "nginx.conf"), "-e", "stderr"),
            *("-g", f"daemon off; pid {self.folder}/pid; error_log stderr;"),
        ]

    def ping(self) -> None:
        socket.create_connection(("localhost", self.port), timeout=5).close()

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        method: str | None = None,
        plain: bool = False,
    ) -> Answer:
        given = (
            http.client.HTTPConnection("localhost", self.plain_port, timeout=DEADLINE_S)
            if plain
            else http.client.HTTPSConnection(
                "localhost", self.port, timeout=DEADLINE_S, context=self.trusting
            )
        )
        with closing(given) as connection:
            method = method or ("GET" if body is None else "POST")
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())

    def open(self) -> ssl.SSLSocket:
        """A connection to say anything on."""
        plain = socket.create_connection(("localhost", self.port), timeout=DEADLINE_S)
        return self.trusting.wrap_socket(plain, server_hostname="localhost")

    def _write(self) -> None:
        etc = self.folder / "etc"
        shutil.rmtree(etc, ignore_errors=True)
        shutil.copytree(SHIPPED, etc)
        hubs = etc / "site" / "hubs.conf"
        replace(hubs, lines((8000, 8001, 8002)), lines(self.ports))
        own = [f"{name}_temp_path {self.folder}/{name};\n" for name in KEPT_IN_FOLDER]
        hubs.write_text("".join(own) + hubs.read_text())
        https, plain = etc / "site" / "https.conf", etc / "site" / "http.conf"
        replace(https, "listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl")
        replace(https, "listen [::]:443 ssl so_keepalive=1m:20s:3;\n", "")
        replace(https, "/etc/ssl/weir/fullchain.pem", str(self.certificate))
        replace(https, "/etc/ssl/weir/privkey.pem", f"{self.folder}/weir.key")
        replace(https, "/var/log/nginx/weir.log", f"{self.folder}/weir.log")
        replace(plain, "listen 80;\nlisten [::]:80;\n", f"listen 127.0.0.1:{self.plain_port};\n")


def lines(ports: Iterable[int]) -> str:
    """Of these hubs, in the list that nginx has."""
    return "".join(f"    server 127.0.0.1:{port} fail_timeout=2s;\n" for port in ports)


def replace(path: Path, shipped: str, ours: str) -> None:
    text = path.read_text()
    assert text.count(shipped) == 1, f"{path.name} has no {shipped!r}"
    path.write_text(text.replace(shipped, ours))


def make_certificate(path: Path, key_path: Path) -> None:
    """Of localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
