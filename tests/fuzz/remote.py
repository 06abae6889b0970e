"""Stories of sessions that have MCP servers: the grammar of `tale`, and what is said of them.

A grammar of its own, so that the stories that were kept for the other go on meaning what they did.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.fuzz.judge import Judge
from tests.fuzz.source import Source, one_of
from tests.fuzz.tale import Teller

from bargein import events
from bargein.server.model import inputs, score

LABELS = ("weather", "news")


def declared(label: str, **more: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1/{label}"
    return {"type": "mcp", "server_label": label, "server_url": url, **more}


TOOLS: tuple[list[dict[str, Any]], ...] = (
    [declared("weather", require_approval="never")],
    [declared("weather")],
    [declared("weather", require_approval="never"), declared("news", require_approval="always")],
    [
        declared(
            "weather", allowed_tools=["look"], require_approval={"never": {"tool_names": ["look"]}}
        )
    ],
    [declared("weather"), declared("weather")],
    [],
)
LISTS: tuple[tuple[events.McpListedTool, ...] | None, ...] = (
    (events.McpListedTool(name="look", input_schema={"type": "object"}),),
    (
        events.McpListedTool(name="look", input_schema={"type": "object"}),
        events.McpListedTool(name="find", input_schema={}, description="Find.", annotations={}),
    ),
    (),
    None,
)
RESULTS: tuple[str | events.McpError, ...] = (
    "seen",
    "",
    "x" * 3_000,
    events.McpError(type="http_error", code=502, message="It is gone."),
    events.McpError(type="tool_execution_error", message="It failed."),
)


class RemoteTeller(Teller):
    """One story, in which servers are declared, listed, called and waited for."""

    def tell(self) -> None:
        """Mostly with servers that are declared and have told their tools."""
        if self.source.pick(4):
            session = {"type": "realtime", "tools": one_of(self.source, TOOLS)}
            update = {"type": "session.update", "event_id": "first", "session": session}
            self.judge.frame(json.dumps(self.said(update)))
            self.judge.wait(50_000)
            for item_id in list(self.judge.listing)[: self.source.pick(4)]:
                self.judge.remote_told(inputs.ToolsListed(item_id, LISTS[self.source.pick(2)]))
        super().tell()

    def moves(self) -> tuple[Callable[[], None], ...]:
        return (
            *super().moves(),
            *(self.list,) * 2,
            *(self.answer,) * 3,
            *(self.call,) * 4,
            *(self.begin,) * 2,
            self.consent,
            self.leave,
        )

    def leave(self) -> None:
        self.judge.give(inputs.PipeClosed())

    def begin(self) -> None:
        out = one_of(self.source, ({}, {}, {"response": {"conversation": "none"}}))
        self.judge.frame(json.dumps(self.said({"type": "response.create", **out})))

    def consent(self) -> None:
        """An approval is given or not, of what was asked for, or of nothing."""
        item = {
            "type": "mcp_approval_response",
            "approval_request_id": one_of(self.source, (*self.judge.approval_ids[-3:], "mcpr_1")),
            "approve": bool(self.source.pick(2)),
        }
        self.judge.frame(json.dumps(self.said({"type": "conversation.item.create", "item": item})))

    def list(self) -> None:
        self.judge.remote_told(inputs.ToolsListed(self.remote_id(), one_of(self.source, LISTS)))

    def answer(self) -> None:
        self.judge.remote_told(inputs.ToolReturned(self.remote_id(), one_of(self.source, RESULTS)))

    def remote_id(self) -> str:
        """Of what was asked, mostly of what is waited for."""
        known = self.judge.listing | self.judge.calling
        asked = sorted(known)
        waited = [each for each in asked if known[each]]
        return one_of(self.source, (*waited, *waited, *asked[-3:], "item_nowhere"))

    def call(self) -> None:
        """An engine calls a tool, as it should or half."""
        known = [*self.judge.machine.running_response_ids, "resp_nowhere"]
        label = one_of(self.source, (*LABELS, *LABELS[:1] * 4, "nobody"))
        actions: tuple[score.Action, ...] = (
            score.OpenCall(one_of(self.source, ("look", "look", "find")), label),
            score.Arguments(one_of(self.source, ("{}", "{"))),
            score.CloseCall(),
        )[: one_of(self.source, (3, 3, 3, 2, 1))]
        steps = tuple(score.Step(action, one_of(self.source, (0, 0, 20_000))) for action in actions)
        final = bool(self.source.pick(2))
        self.judge.produced(inputs.Produced(one_of(self.source, known), steps, final))

    def session(self) -> dict[str, Any]:
        return {**super().session(), "tools": one_of(self.source, TOOLS)}

    def response(self) -> dict[str, Any]:
        whole = super().response()
        if self.source.pick(4) == 3:
            whole["tools"] = one_of(self.source, TOOLS)
        return whole


def tell(source: Source) -> Judge:
    """A whole story, judged to its end. Raises AssertionError for a broken promise."""
    teller = RemoteTeller(source)
    teller.tell()
    return teller.judge
