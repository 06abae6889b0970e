"""The certificate of a server that speaks TLS: one of its own making, or one that was given.

1. One of our own is made at the start, for the names and addresses of this machine, and is gone
   with the process: its key is on no disk but for the moment in which OpenSSL reads it.
2. Nobody knows it: a browser warns, and whoever accepts it compares the fingerprint that the start
   prints. Our own client trusts it and nothing else.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from bargein.errors import LocalValueError

if TYPE_CHECKING:
    from cryptography import x509

LIFE_DAYS = 30
_MISSING = 'TLS with a certificate of the server\'s own making needs pip install "bargein[webrtc]"'


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain and its key, as PEM."""

    chain: bytes
    key: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256, as browsers show it."""
        der = ssl.PEM_cert_to_DER_cert(_first(self.chain))
        return sha256(der).digest().hex(":").upper()

    def showing(self) -> ssl.SSLContext:
        """For the server. Raises `LocalValueError` where the key is not the certificate's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory() as folder:  # 0700
            files = Path(folder) / "chain.pem", Path(folder) / "key.pem"
            for file, content in zip(files, (self.chain, self.key), strict=True):
                file.touch(0o600)
                file.write_bytes(content)
            try:
                # An encrypted key would be asked for on the terminal.
                context.load_cert_chain(*files, password=lambda: b"")
            except (ssl.SSLError, ValueError) as error:
                raise LocalValueError(
                    "TLS: certificate and key cannot be used; give PEM files that belong together, "
                    "and a key that is not encrypted"
                ) from error
        return context

    def trusting(self) -> ssl.SSLContext:
        """For our own client: it trusts this certificate, by whatever name the server is called."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=_first(self.chain))
        return context


def given_certificate(chain: str | os.PathLike[str], key: str | os.PathLike[str]) -> Certificate:
    """From PEM files. Raises `LocalValueError` for what cannot be read or used."""
    read = []
    for name, path in (("tls-cert", chain), ("tls-key", key)):
        try:
            read.append(Path(path).read_bytes())
        except OSError as error:
            raise LocalValueError(f"{name}: {path}: {error.strerror or error}") from error
    certificate = Certificate(*read)
    certificate.showing()
    return certificate


def own_certificate(names: Iterable[str] = ()) -> Certificate:
    """One for this machine, under these further names too. Raises `LocalValueError` where what
    makes it is not installed."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError:
        raise LocalValueError(_MISSING) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bargein serve")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=LIFE_DAYS))
        .add_extension(x509.SubjectAlternativeName(list(map(_named, _names(names)))), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _named(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(further: Iterable[str]) -> list[str]:
    from bargein.rtc.tracks import own_addresses

    own = ("localhost", "127.0.0.1", "::1", *own_addresses(loopback=False))
    host = socket.gethostname()
    called = [host] if host.isascii() and host.replace("-", "").replace(".", "").isalnum() else []
    return list(dict.fromkeys((*own, *called, *further)))


def _first(chain: bytes) -> str:
    end = "-----END CERTIFICATE-----"
    text = chain.decode("ascii", "replace")
    start = text.find("-----BEGIN CERTIFICATE-----")
    if start < 0 or end not in text:
        raise LocalValueError("TLS: the certificate is no PEM file")
    return text[start : text.index(end) + len(end)] + "\n"
