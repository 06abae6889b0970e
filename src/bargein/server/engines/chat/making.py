"""The chat engine's factory: what all sessions share is made once."""

from __future__ import annotations

import ssl

try:
    import httpx
except ImportError as error:
    raise ImportError('the chat engine is not installed; pip install "bargein[chat]"') from error

from bargein.secret import Secret
from bargein.server.engines.base import EngineFactory
from bargein.server.engines.chat.ears import Ears, UrlEars
from bargein.server.engines.chat.engine import ChatEngine
from bargein.server.engines.chat.http import Service
from bargein.server.engines.chat.local_ears import LocalEars
from bargein.server.engines.chat.mind import Mind
from bargein.server.engines.chat.options import ChatOptions
from bargein.server.engines.chat.voice import EspeakVoice, UrlVoice, Voice
from bargein.server.engines.local.ears import Ears as Pool


def chat_engine(options: ChatOptions) -> EngineFactory:
    """A factory of chat engines, as `serve_local(engine=…)` takes it. Raises `DeviceError` where
    local ears are asked for and the extra `local` is not there."""
    urls = (options.chat_url, options.hear_url, options.speak_url)
    if any(url is not None and url.startswith("https:") for url in urls):
        tls = httpx.create_ssl_context()  # A tenth of a second each: once for all.
    else:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    pool = Pool() if options.hear_locally else None

    def service(role: str, url: str, key: Secret | None) -> Service:
        return Service(
            role,
            url,
            key=options.key_for(url, key),
            deadlines=options.deadlines,
            tls=tls,
        )

    def make() -> ChatEngine:
        ears: Ears | None = None
        if options.hear_url is not None:
            server = service("The ear", options.hear_url, options.hear_key)
            ears = UrlEars(server, model=options.hear_model)
        elif pool is not None:
            ears = LocalEars(pool)
        voice: Voice = EspeakVoice()
        if options.speak_url is not None:
            server = service("The voice", options.speak_url, options.speak_key)
            voice = UrlVoice(server, model=options.speak_model, voice=options.speak_voice)
        mind = Mind(service("The mind", options.chat_url, options.chat_key))
        return ChatEngine(options, mind=mind, voice=voice, ears=ears)

    return make
