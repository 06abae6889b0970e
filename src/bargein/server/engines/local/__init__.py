"""The engine that needs no key and no network: ears, a mind and a voice of its own.

`engine` puts them together; `ears` (with `ear_child`, a process of its own) hears, `mind` with its
leaves thinks and is pure, `voice` speaks.
"""
