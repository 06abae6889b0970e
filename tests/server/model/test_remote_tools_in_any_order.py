"""MCP servers declared, listed, called, approved, deleted and cut in any order: every import and
every call begins and ends once, and nothing is told of what is gone."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.model.model_rig import Rig

from bargein import events
from bargein.server.model.commands import CallTool, ListTools
from bargein.server.model.inputs import Produced, ToolReturned, ToolsListed
from bargein.server.model.options import Limits, Options
from bargein.server.model.score import Arguments, CloseCall, OpenCall, Step

LABELS = ("a", "b", "c")
TOOLS = tuple(events.McpListedTool(name=name) for name in ("look", "buy"))
LIMITS = Limits(mcp_servers=2, responses=3, items=40, text_characters=400)
MOVES = st.tuples(
    st.sampled_from(
        (
            *("declare", "own", "listed", "listed", "call", "call"),
            *("returned", "answer", "delete", "cancel"),
        )
    ),
    st.integers(0, 63),
)


class Story:
    """A client, an engine and two servers, none of which knows what the others do."""

    def __init__(self) -> None:
        self.rig = Rig(options=Options(limits=LIMITS))
        self.responses: list[str] = []

    def play(self, move: str, n: int) -> None:
        rig = self.rig
        match move:
            case "declare":
                rig.configure(tools=[self.server(n), self.server(n // 3 + 1)][: 1 + n % 2])
            case "own":
                response = {"tools": [self.server(n)], "conversation": ("auto", "none")[n % 2]}
                self.note(rig.say("response.create", response=response))
            case "listed":
                item_id = self.one([each.item_id for each in self.asked(ListTools)][-2:], n)
                long = (events.McpListedTool(name="x" * 300),)
                tools = (TOOLS, TOOLS, TOOLS[:1], long, None)[n % 5]
                rig.give(ToolsListed(item_id, tools))
            case "call":
                self.note(rig.say("response.create"))
                callable_now = [
                    (start.response_id, OpenCall(each.tool.name, each.server_label))
                    for start in rig.started
                    for each in start.remote_tools
                ]
                odd = (self.one(self.responses, n), OpenCall("nothing", "a"))
                response_id, call = (*callable_now[-3:], odd)[n % (len(callable_now[-3:]) + 1)]
                steps = (Step(call), Step(Arguments("{}")), Step(CloseCall()))
                rig.give(Produced(response_id, steps, final=n % 4 > 0))
            case "returned":
                calls = [e["item_id"] for e in rig.log if "mcp_call_arguments.done" in e["type"]]
                item_id = self.one(calls[-3:], n)
                error = events.McpError(type="http_error", code=500, message="Down.")
                rig.give(ToolReturned(item_id, ("Yes", error, "x" * 300)[n % 3]))
            case "answer":
                requests = [
                    event["item"]["id"]
                    for event in rig.log
                    if event["type"] == "conversation.item.added"
                    and event["item"]["type"] == "mcp_approval_request"
                ]
                given = {"type": "mcp_approval_response", "approve": n % 2 == 0}
                item = {**given, "approval_request_id": self.one(requests[-2:], n)}
                rig.say("conversation.item.create", item=item)
            case "delete":
                known = [event["item_id"] for event in rig.log if "item_id" in event]
                rig.say("conversation.item.delete", item_id=self.one(known, n))
            case _:
                rig.say("response.cancel", response_id=self.one(self.responses, n))
        rig.wait(1)

    def server(self, n: int) -> dict[str, Any]:
        return {
            "type": "mcp",
            "server_label": LABELS[n % 3],
            "server_url": f"https://{n % 2}.example.org",
            "require_approval": ("always", "never")[n // 2 % 2],
            **({"allowed_tools": ["look"]} if n % 5 == 0 else {}),
        }

    def asked(self, kind: type[ListTools | CallTool]) -> list[ListTools | CallTool]:
        return [each for each in self.rig.remote if isinstance(each, kind)]

    def note(self, sent: list[dict[str, Any]]) -> None:
        created = (event for event in sent if event["type"] == "response.created")
        self.responses += [event["response"]["id"] for event in created]

    def one(self, known: list[str], n: int) -> str:
        return known[n % len(known)] if known else "item_nowhere"

    def end(self) -> None:
        """Everybody who is waited for has answered."""
        for each in self.asked(ListTools):
            self.rig.give(ToolsListed(each.item_id, None))
        for response_id in self.responses:
            self.rig.say("response.cancel", response_id=response_id)


@given(st.lists(MOVES, max_size=40))
@settings(max_examples=150, deadline=None)
def test_every_import_and_every_call_begins_and_ends_once(moves: list[tuple[str, int]]) -> None:
    story = Story()
    for move, n in moves:
        story.play(move, n)
    story.end()
    gone: set[str] = set()
    told: Counter[tuple[str, str]] = Counter()
    for event in story.rig.log:
        kind, item_id = event["type"], event.get("item_id") or event.get("item", {}).get("id", "")
        assert event.get("error", {}).get("type") != "server_error", event
        if kind == "conversation.item.deleted":
            gone.add(item_id)
        elif kind == "conversation.item.done" and event["item"]["type"] == "mcp_list_tools":
            assert item_id not in gone
        told[kind.replace("completed", "ended").replace("failed", "ended"), item_id] += 1
        if kind in ("response.created", "response.done"):
            told[kind, event["response"]["id"]] += 1
    for (kind, name), times in told.items():
        if name and kind not in ("conversation.item.deleted", "conversation.item.retrieved"):
            assert times == 1 or kind.endswith(".delta"), (kind, name, times)
    for began, ended in (
        ("mcp_list_tools.in_progress", "mcp_list_tools.ended"),
        ("response.created", "response.done"),
    ):
        ids = {kind: {n for k, n in told if k == kind} for kind in (began, ended)}
        assert ids[began] == ids[ended]
    # A denied call fails without having begun, and none is over before its response is.
    ran = {name for kind, name in told if kind == "response.mcp_call.in_progress"}
    assert ran <= {name for kind, name in told if kind == "response.mcp_call.ended"}
    completed = (e for e in story.rig.log if e["type"] == "response.mcp_call.completed")
    assert {event["item_id"] for event in completed} <= ran
