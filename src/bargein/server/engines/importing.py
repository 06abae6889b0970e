"""An engine by its import path: `my_module:MyEngine`."""

from __future__ import annotations

import importlib
import inspect
import os
import sys

from bargein.errors import LocalValueError
from bargein.server.engines.base import Engine, EngineFactory


def engine_at(path: str) -> EngineFactory:
    """The factory at `MODULE:NAME`: a class derived from `Engine` that is made without arguments,
    or a function without arguments that makes one.

    The module is looked for in the working folder first, as Python does. Raises `LocalValueError`
    that says which part of the path is wrong.
    """
    module_name, colon, name = path.partition(":")
    if not (colon and module_name and name):
        raise LocalValueError(f"engine {path!r} is no MODULE:NAME, such as my_module:MyEngine")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise _broken(path, module_name, error) from error
        raise LocalValueError(
            f"engine {path!r}: there is no module {module_name!r} in {folder} or on Python's path"
        ) from error
    except Exception as error:
        raise _broken(path, module_name, error) from error
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise LocalValueError(f"engine {path!r}: {module_name} has no {name!r}") from error
    return _checked(path, found)


def _broken(path: str, module_name: str, error: Exception) -> LocalValueError:
    return LocalValueError(
        f"engine {path!r}: {module_name} cannot be imported: {type(error).__name__}: {error}"
    )


def _checked(path: str, found: object) -> EngineFactory:
    if not callable(found):
        raise LocalValueError(
            f"engine {path!r} is a {type(found).__name__}: name a class derived from "
            "bargein.server.engines.base.Engine, or a function that makes one"
        )
    if isinstance(found, type):
        if not issubclass(found, Engine):
            raise LocalValueError(
                f"engine {path!r}: {found.__name__} is not derived from "
                "bargein.server.engines.base.Engine"
            )
        if inspect.isabstract(found):
            raise LocalValueError(f"engine {path!r}: {found.__name__} does not define respond()")
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise LocalValueError(
            f"engine {path!r} is made without arguments, for each session: {error}"
        ) from error
    except ValueError:
        pass  # It does not say what it takes; the first session will.

    def make() -> Engine:
        made = found()
        if not isinstance(made, Engine):
            raise LocalValueError(f"engine {path!r} made a {type(made).__name__}, which is none")
        return made

    return make
