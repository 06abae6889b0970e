"""Every example of a session runs against the local server, without a key of anybody's."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from bargein.audio.files import write_wav
from bargein.audio.formats import Samples
from bargein.audio.resample import resample
from bargein.server.engines.espeak import speak
from bargein.server.engines.local.stories import Story
from bargein.server.engines.scenario import Scenario
from bargein.server.serving import serve_local

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 24_000


def microphone(path: Path, *said_at: tuple[float, str]) -> Path:
    """A file in which a user says each text at its second."""
    sound = np.zeros(20 * RATE, dtype=np.int16)
    for at_s, text in said_at:
        speech = speak(text)
        pcm = resample(speech.pcm, speech.rate, RATE)
        begin = int(at_s * RATE)
        sound[begin : begin + len(pcm)] = pcm[: len(sound) - begin]
    write_wav(path, sound, RATE)
    return path


async def run_example(
    name: str,
    *arguments: object,
    speed: float | None = None,
    within_s: float = 50,
    scenario: Scenario | None = None,
    typed: str | None = None,
) -> str:
    """What the example printed; it must end by itself, well, and without a warning. `typed` is
    what stands in its terminal."""
    given = () if scenario is None else (scenario,)
    async with serve_local(*given, speed=speed) as server:
        environment = {
            **os.environ,
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": server.api_key,
            "PYTHONWARNINGS": "error",
            "PYTHONASYNCIODEBUG": "1",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLES / name),
            *map(str, arguments),
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(
                process.communicate(typed.encode() if typed else None), within_s
            )
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, err.decode()
    assert "Traceback" not in err.decode() and "Error" not in err.decode(), err.decode()
    return out.decode()


@pytest.mark.real_time
async def test_story_tells_what_was_heard_and_kept_of_a_reply_that_was_talked_over(
    tmp_path: Path,
) -> None:
    user = microphone(tmp_path / "in.wav", (3, "Stop, please. Tell me about the clockmaker."))
    out = await run_example("story.py", user, tmp_path / "ear.wav")
    last = out.splitlines()[-1]
    assert last.startswith("heard ") and last.endswith(", exact"), out
    heard, kept = (int(part.split()[1]) for part in last.split(", ")[:2])
    assert heard == kept > 0
    assert (tmp_path / "ear.wav").stat().st_size > 100_000


@pytest.mark.real_time
async def test_push_to_talk_answers_and_is_cut_by_the_next_press(tmp_path: Path) -> None:
    user = microphone(tmp_path / "in.wav", (0.2, "Tell me a story."), (5.2, "And another one."))
    out = await run_example("push_to_talk.py", user)
    words = out.split()
    assert words[0] == "heard" and words[-1] == "push_to_talk", out
    assert int(words[1]) == int(words[4]) > 0


@pytest.mark.real_time
async def test_typed_gets_its_answers_and_a_summary_that_is_not_remembered() -> None:
    out = await run_example("typed.py", speed=20)
    assert out.startswith("> Tell me a story.\nOnce upon a time")
    assert "In short: " in out
    assert out.splitlines()[-1].startswith("4 items, ")


@pytest.mark.real_time
async def test_an_edit_puts_a_summary_in_the_place_of_the_beginning() -> None:
    lines = (await run_example("edit.py", speed=20)).splitlines()
    assert lines[0] == "4 items went, 1 came"
    assert [line.partition(":")[0] for line in lines[1:]] == ["system", "user", "assistant"]
    assert lines[1].startswith("system: So far: ")


@pytest.mark.real_time
async def test_a_conversation_is_stored_and_told_to_a_new_session() -> None:
    first, second, _ = re.split(
        r"\d+ of \d+ tokens were the reply\n", await run_example("remember.py")
    )
    assert first.startswith("**User**\n\n> Tell me a story.\n\n**Assistant**\n\n> Once upon a time")
    assert second.strip().startswith(first.strip())
    assert second.count("**User**") == second.count("**Assistant**") == 2


@pytest.mark.real_time
async def test_captions_show_the_words_that_sounded_and_no_more() -> None:
    out = await run_example("captions.py")
    shown, heard = out.strip().split("\nheard: ")
    assert heard.startswith("Once upon a time, ")
    assert heard.startswith(shown) and abs(len(heard.split()) - len(shown.split())) <= 4, out
    assert 4 <= len(heard.split()) <= 16, "three seconds of speech"


@pytest.mark.real_time
async def test_raw_events_shows_both_ways() -> None:
    out = await run_example("raw_events.py", speed=20)
    assert "-> ConversationItemCreate\n-> ResponseCreate\n" in out
    assert "<- ResponseDone" in out


@pytest.mark.real_time
async def test_own_loop_holds_a_conversation_without_asyncio() -> None:
    out = await run_example("own_loop.py", speed=20)
    assert out.startswith("Once upon a time") and out.endswith("answered.")


@pytest.mark.real_time
async def test_tools_are_called_and_spoken_about() -> None:
    out = await run_example("tools.py", speed=50)
    assistant, answer = out.splitlines()
    assert assistant.startswith("assistant: Let me look that up. I have the answer.")
    assert answer == "weather: returned, Rain in Lisbon for 1 days."


@pytest.mark.real_time
@pytest.mark.skipif(find_spec("mcp.server.mcpserver") is None, reason="`make test` installs mcp")
async def test_the_tools_of_an_mcp_server_are_called_and_spoken_about() -> None:
    out = await run_example("mcp_tools.py", speed=50)
    assistant, answer = out.splitlines()
    assert assistant.startswith("assistant: Let me look that up. I have the answer.")
    assert answer == "weather: returned, Rain in Lisbon."


def loud(sound: Samples, *, apart_s: float = 0.7) -> list[tuple[int, int]]:
    """Where somebody speaks: the first and the last sample of each stretch that is not silent."""
    (there,) = np.nonzero(np.abs(sound) > 30)
    breaks = np.nonzero(np.diff(there) > apart_s * RATE)[0]
    begins = [int(there[0]), *(int(there[at + 1]) for at in breaks)]
    ends = [*(int(there[at]) for at in breaks), int(there[-1])]
    return list(zip(begins, ends, strict=True))


@pytest.mark.real_time
@pytest.mark.timeout(240)  # The recogniser takes its time on a machine that has much else to do.
async def test_a_user_who_speaks_while_a_tool_runs_is_told_its_result_when_the_floor_is_free(
    tmp_path: Path,
) -> None:
    speech = EXAMPLES.parent / "tests" / "data" / "spoken"
    files = [speech / f"{name}.flac" for name in ("weather-awb", "story-slt", "stop-awb")]
    out = await run_example("spoken_tool.py", *files, tmp_path / "ear.wav", within_s=200)
    lines = out.splitlines()
    assert lines[0] == 'runs: weather({"city": "Paris"})'
    assert [one for one in lines if one.startswith("user: ")] == [
        "user: what is the weather in paris",
        "user: tell me a story about a dragon",
        "user: stop please",
    ]
    cut = next(one for one in lines if one.startswith("cut: "))
    heard_ms, kept_ms = (int(part.split()[-2]) for part in cut.split(",")[:2])
    assert heard_ms == kept_ms and cut.endswith(", exact")
    assert "returned: It rains in Paris." in lines
    story, *rest = [one for one in lines if one.startswith("assistant: ")]
    assert story.startswith("assistant: Once upon a time") and "It rains" not in story
    assert "It rains in Paris." in rest[-1]

    with wave.open(str(tmp_path / "ear.wav")) as file:
        assert file.getframerate() == RATE
        ear = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    user, assistant = loud(ear[:, 0]), loud(ear[:, 1])
    (told, cut_at), (answered, _) = assistant[0], assistant[-1]
    assert abs((cut_at - told) * 1_000 // RATE - heard_ms) < 400, "what was counted was heard"
    # On a busy machine the first two turns may follow each other without a pause.
    wanted, stopped = user[-2:]
    assert wanted[1] < told < stopped[0] < cut_at < stopped[1]
    assert answered > stopped[1], "nobody spoke over the user"


HOSTED = {
    "first_event_after_ms": 0,
    "replies": [
        {
            "when": "delete",
            "outputs": [
                {"call": "search", "server": "files", "arguments": {"name": "plans"}},
                {"call": "delete", "server": "files", "arguments": {"name": "plans"}},
            ],
        },
        {"after_call": "delete", "outputs": [{"write": "The plans are gone."}]},
        {"outputs": [{"write": "Hello."}]},
    ],
    "mcp": [
        {
            "label": "files",
            "tools": [{"name": "search", "result": "plans"}, {"name": "delete", "result": "done"}],
        }
    ],
}


@pytest.mark.real_time
async def test_the_tools_of_a_server_that_the_service_calls_are_consented_to() -> None:
    scenario = Scenario.of(HOSTED)
    out = await run_example(
        "hosted_mcp.py", "https://mcp.example.org", scenario=scenario, typed="yes\n"
    )
    question, said = out.split("? ", 1)
    assert question == 'may files run delete({"name": "plans"})', "and nobody asks about search"
    assert said.splitlines() == [
        "assistant: The plans are gone.",
        "files.search: returned, plans",
        "files.delete: returned, done",
    ]


@pytest.mark.real_time
async def test_other_server_is_talked_to_with_its_capability_file(tmp_path: Path) -> None:
    file = tmp_path / "server.json"
    file.write_text('{"format": "bargein-capabilities/1", "capabilities": {"truncate": false}}')
    async with serve_local(api_key="sk-other-server-0123456789") as server:
        arguments = (server.url, "sk-other-server-0123456789", file)
        out = await run_example("other_server.py", *arguments)
    assert out == "Hello there! Shall I tell you a story?\n"


@pytest.mark.real_time
@pytest.mark.timeout(240)  # The recogniser takes its time on a machine that has much else to do.
async def test_spoken_goes_on_with_its_story_at_the_word_after_the_last_heard_one() -> None:
    speech = EXAMPLES.parent / "tests" / "data" / "spoken"
    files = [speech / f"{name}.flac" for name in ("story-slt", "stop-awb", "go-on-slt")]
    out = await run_example("spoken.py", *files, within_s=200)
    told = [line.partition(": ")[2] for line in out.splitlines() if ": " in line]
    assert told[0] == "tell me a story about a dragon" and told[1:3] == [
        "stop please",
        "please go on",
    ]
    heard, answer, rest = (each.split() for each in told[3:])
    whole = " ".join(Story(0, "dragon", 3).from_word(0)).split()
    assert answer == ["All", "right."]
    assert 3 < len(heard) < len(whole) and heard + rest == whole[: len(heard) + len(rest)]
    assert "exact" in out
