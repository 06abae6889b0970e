"""What `bargein serve` knows of the page, and of TLS, which other devices need for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from bargein.errors import LocalValueError

if TYPE_CHECKING:
    from bargein.server.certificate import Certificate
    from bargein.web.page import Page

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class AskedTls(Protocol):
    """What the command line says of it."""

    @property
    def tls(self) -> bool: ...
    @property
    def tls_cert(self) -> Path | None: ...
    @property
    def tls_key(self) -> Path | None: ...
    @property
    def allow_host(self) -> tuple[str, ...]: ...


def tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that the command line has for it."""
    for option in reversed(
        (
            click.option(
                "--tls",
                is_flag=True,
                help="Speak https and wss, with a certificate made by this start. Browsers of "
                "other devices give a page the microphone only then.",
            ),
            click.option(
                "--tls-cert", type=_FILE, help="A certificate of yours for it: a PEM file."
            ),
            click.option("--tls-key", type=_FILE, help="Its key: a PEM file, not encrypted."),
        )
    ):
        command = option(command)
    return command


def certificate_of(asked: AskedTls) -> Certificate | None:
    """The certificate that was asked for."""
    if (asked.tls_cert is None) is not (asked.tls_key is None):
        raise LocalValueError("--tls-cert and --tls-key belong together: give both")
    if asked.tls_cert is None and not asked.tls:
        return None
    from bargein.server.certificate import given_certificate, own_certificate

    if asked.tls_cert is not None and asked.tls_key is not None:
        return given_certificate(asked.tls_cert, asked.tls_key)
    return own_certificate(name.partition(":")[0] for name in asked.allow_host)


def new_page() -> Page | None:
    """The page, where its server can be had."""
    try:
        from bargein.web.page import Page
    except ImportError:
        return None
    return Page()


def announce_page(page: Page, address: str, certificate: Certificate | None) -> None:
    """Print the links that open the page, each once."""
    click.echo(f"Talk to it in a browser: {page.link()} (opens once)", err=True)
    if ipaddress.ip_address(address).is_unspecified:
        for own in page.own_addresses():
            click.echo(f"On another device: {page.link(own)} (opens once)", err=True)
    if certificate is not None:
        click.echo(f"The certificate's SHA-256: {certificate.fingerprint}", err=True)
