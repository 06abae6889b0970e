"""The certificate of a server that speaks TLS, and what trusts it."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from tests.server.serving_rig import a_client, a_server

from bargein.errors import LocalValueError
from bargein.server.certificate import Certificate, given_certificate, own_certificate


def names_of(certificate: Certificate) -> list[str]:
    told = x509.load_pem_x509_certificate(certificate.chain)
    found = told.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(each.value) for each in found.value]


def test_one_of_our_own_names_this_machine_and_what_it_was_asked_for() -> None:
    names = names_of(own_certificate(["proxy.example", "10.1.2.3"]))
    assert {"localhost", "127.0.0.1", "::1", "proxy.example", "10.1.2.3"} <= {*names}
    assert len(names) == len({*names})


def test_the_fingerprint_is_that_of_the_certificate_and_the_key_is_not_shown() -> None:
    certificate = own_certificate()
    der = ssl.PEM_cert_to_DER_cert(certificate.chain.decode())
    assert certificate.fingerprint.replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert "PRIVATE" not in repr(certificate)


@pytest.mark.real_time
async def test_a_server_with_one_speaks_tls_only_and_who_trusts_it_gets_a_session() -> None:
    certificate, other = own_certificate(), own_certificate()
    async with a_server(certificate=certificate) as server:
        assert server.url.startswith("https://") and server.ws_url.startswith("wss://")
        health = server.url.replace("/v1", "/healthz")
        async with httpx.AsyncClient(verify=certificate.trusting(), trust_env=False) as web:
            assert (await web.get(health)).status_code == 200
        for strange in (other.trusting(), ssl.create_default_context()):
            async with httpx.AsyncClient(verify=strange, trust_env=False) as web:
                with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
                    await web.get(health)
        async with a_client(server, ssl=certificate.trusting()) as client:
            assert client.seen[0]["type"] == "session.created"


def test_one_that_was_given_is_read_and_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    made, other = own_certificate(), own_certificate()
    chain, key, wrong = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "wrong.pem"
    chain.write_bytes(made.chain)
    key.write_bytes(made.key)
    wrong.write_bytes(other.key)
    assert given_certificate(chain, key) == made
    with pytest.raises(LocalValueError, match="belong together"):
        given_certificate(chain, wrong)
    with pytest.raises(LocalValueError, match="tls-key"):
        given_certificate(chain, tmp_path / "none.pem")
    wrong.write_bytes(b"no PEM")
    with pytest.raises(LocalValueError, match="TLS"):
        given_certificate(wrong, key)
