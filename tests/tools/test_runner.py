"""Every call ends in one report, whatever the tool does."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import numpy as np
import pydantic
import pytest

import bargein
from bargein.errors import LocalValueError
from bargein.tools import Runner, ToolCall, ToolContext, ToolError
from bargein.tools.base import Approved, Returned, ToolReport
from bargein.tools.runner import MOST_CHARACTERS


class Desk:
    """Collects the reports of a runner of these tools."""

    def __init__(self, *tools: Any, **settings: Any) -> None:
        self.runner = Runner([bargein.tool(one) for one in tools], **settings)
        self.runner.attach(self._report)
        self.reports: list[ToolReport] = []
        self._came = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def _report(self, report: ToolReport) -> None:
        self.reports.append(report)
        task = asyncio.create_task(self._wake())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self) -> None:
        async with self._came:
            self._came.notify_all()

    async def report(self, number: int = 1) -> ToolReport:
        """The latest report, when there are so many."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.reports) >= number)
        return self.reports[-1]

    async def outcome(self, name: str, arguments: str = "{}") -> tuple[str, bool]:
        """Run it and give what came of it, and whether it failed."""
        self.runner.run("c1", name, arguments)
        report = await self.report()
        assert isinstance(report, Returned)
        return report.output, report.failed


class Forecast(pydantic.BaseModel):
    sky: str


async def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


def on_a_thread() -> dict[str, bool]:
    """Where am I?"""
    return {"main": threading.current_thread() is threading.main_thread()}


async def test_a_text_is_told_as_it_is() -> None:
    assert await Desk(weather).outcome("weather", '{"city":"Rome"}') == ("rain in Rome", False)


async def test_a_plain_function_runs_in_a_thread_and_its_result_is_json() -> None:
    output, failed = await Desk(on_a_thread).outcome("on_a_thread")
    assert (json.loads(output), failed) == ({"main": False}, False)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "null"),
        ([1, 2], "[1,2]"),
        ({"a": {"b": 1.5}}, '{"a":{"b":1.5}}'),
        (Forecast(sky="grey"), '{"sky":"grey"}'),
        ("", ""),
        ({"degrees": np.float32(1.5), "days": np.array([1, 2])}, '{"degrees":1.5,"days":[1,2]}'),
        (float("nan"), "null"),
        ("half a pair: \ud83d", "half a pair: ?"),
    ],
)
async def test_every_result_that_is_json_is_told(result: Any, text: str) -> None:
    async def give() -> Any:
        return result

    assert await Desk(give).outcome("give") == (text, False)


async def test_a_result_that_is_no_json_is_an_error_that_names_no_more_than_its_type(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def give() -> Any:
        return object()

    assert await Desk(give).outcome("give") == ('{"error":"The tool failed: TypeError."}', True)
    assert "object is no JSON" in caplog.text


async def test_a_result_that_the_service_would_refuse_is_told_as_an_error() -> None:
    async def give() -> str:
        return "x" * (MOST_CHARACTERS + 1)

    output, failed = await Desk(give).outcome("give")
    assert failed
    assert "at most 250000 can be told" in json.loads(output)["error"]


@pytest.mark.parametrize(
    "failure", [asyncio.CancelledError(), GeneratorExit(), BaseExceptionGroup("g", [SystemExit()])]
)
@pytest.mark.parametrize("on", ["the loop", "a thread"])
async def test_a_tool_that_ends_in_no_ordinary_way_is_answered_all_the_same(
    failure: BaseException, on: str
) -> None:
    async def later() -> None:
        raise failure

    def here() -> None:
        raise failure

    function = later if on == "the loop" else here
    output, failed = await Desk(function).outcome(function.__name__)
    assert failed and "The tool failed" in output


async def test_an_error_that_is_no_text_is_told() -> None:
    def fail() -> None:
        raise bargein.ToolError("half a pair: \ud83d")

    assert await Desk(fail).outcome("fail") == ('{"error":"half a pair: ?"}', True)


async def test_arguments_that_do_not_fit_are_told_to_the_model() -> None:
    output, failed = await Desk(weather).outcome("weather", "{}")
    assert failed
    assert "missing required field `city`" in json.loads(output)["error"]


async def test_a_tool_error_speaks_in_its_own_words_and_any_other_keeps_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(kindly: bool) -> None:
        if kindly:
            raise ToolError("There is no such city.")
        raise KeyError("password 1234")

    kind, failed = await Desk(fail).outcome("fail", '{"kindly":true}')
    assert (json.loads(kind), failed) == ({"error": "There is no such city."}, True)
    other, failed = await Desk(fail).outcome("fail", '{"kindly":false}')
    assert (json.loads(other), failed) == ({"error": "The tool failed: KeyError."}, True)
    assert "password 1234" in caplog.text, "the log has it, the model has not"


@pytest.mark.parametrize("failure", [StopIteration, SystemExit, KeyboardInterrupt])
async def test_no_exception_of_a_thread_is_lost(failure: type[BaseException]) -> None:
    def fail() -> None:
        raise failure

    _, failed = await Desk(fail).outcome("fail")
    assert failed


async def test_a_function_that_gives_a_coroutine_is_waited_for() -> None:
    def later() -> Any:
        return weather("Rome")

    assert await Desk(later).outcome("later") == ("rain in Rome", False)


async def test_a_context_names_the_call_and_the_session() -> None:
    seen: list[ToolContext] = []

    async def look(context: ToolContext) -> None:
        seen.append(context)

    desk = Desk(look)
    desk.runner.session = "the session"
    await desk.outcome("look")
    assert [(one.call_id, one.name, one.session) for one in seen] == [("c1", "look", "the session")]


async def test_a_cancelled_coroutine_ends_and_reports_nothing() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    desk = Desk(wait)
    desk.runner.run("c1", "wait", "{}")
    await begun.wait()
    desk.runner.cancel("c1")
    await ended.wait()
    await desk.runner.close()
    assert (desk.reports, desk.runner.running) == ([], 0)


async def test_a_cancelled_thread_is_told_and_its_result_ignored() -> None:
    begun, told = threading.Event(), threading.Event()

    def wait(context: ToolContext) -> str:
        begun.set()
        context.cancelled.wait()
        told.set()
        return "too late"

    desk = Desk(wait)
    desk.runner.run("c1", "wait", "{}")
    await asyncio.to_thread(begun.wait)
    desk.runner.cancel("c1")
    await asyncio.to_thread(told.wait)
    await desk.runner.close()
    assert desk.reports == []


async def test_no_more_run_at_once_than_may() -> None:
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    desk = Desk(work, at_once=2)
    for number in range(5):
        desk.runner.run(f"c{number}", "work", "{}")
    await desk.report(5)
    assert (most, len(desk.reports)) == (2, 5)


async def test_closing_ends_what_runs_and_leaves_behind_what_will_not_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bargein.tools.runner.CLOSE_S", 0.0)
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    desk = Desk(stubborn)
    desk.runner.run("c1", "stubborn", "{}")
    await asyncio.sleep(0)
    await desk.runner.close()
    assert "the tool of c1 does not end" in caplog.text
    monkeypatch.undo()
    release.set()
    await desk.runner.close()
    assert desk.runner.running == 0


class TestApproval:
    async def test_the_approver_sees_the_call_and_decides(self) -> None:
        seen: list[ToolCall] = []

        async def approve(call: ToolCall) -> bool:
            seen.append(call)
            return call.arguments == '{"city":"Rome"}'

        runner = Runner([bargein.tool(approval=True)(weather)], approve=approve)
        desk = Desk()
        desk.runner = runner
        runner.attach(desk._report)
        runner.ask("c1", "weather", '{"city":"Rome"}')
        assert await desk.report() == Approved("c1", True)
        desk.reports.clear()
        runner.ask("c2", "weather", "{}")
        assert await desk.report() == Approved("c2", False)
        assert [call.call_id for call in seen] == ["c1", "c2"]

    async def test_one_that_fails_approves_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        def approve(call: ToolCall) -> bool:
            raise RuntimeError("no screen")

        desk = Desk()
        desk.runner = Runner([bargein.tool(approval=approve)(weather)])
        desk.runner.attach(desk._report)
        desk.runner.ask("c1", "weather", "{}")
        reason = "Who was asked for approval failed: RuntimeError."
        assert await desk.report() == Approved("c1", False, reason)
        assert "not approved" in caplog.text

    async def test_a_session_that_nobody_can_approve_for_does_not_begin(self) -> None:
        with pytest.raises(LocalValueError, match="connect\\(approve"):
            Runner([bargein.tool(approval=True)(weather)])
