"""What the user, the application and the pipe do, and what it crosses."""

from __future__ import annotations

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.sim.coverage.scene import Scene
from bargein.sim.history import Entry

# -- the user's speech -------------------------------------------------------------------------


def speech_under_way(
    scene: Scene, event: events.InputAudioBufferSpeechStarted, entry: Entry
) -> None:
    scene.speech_under_way += 1


def speech(scene: Scene, event: events.InputAudioBufferSpeechStarted, entry: Entry) -> None:
    races = scene.races
    scene.speech_under_way -= 1
    scene.speaking = True
    scene.speech_us = entry.time_us
    scene.rules["listening 1: turns are detected"] += 1
    if scene.options.barge_in == "keep_talking" and scene.open_in_band:
        scene.rules["interruption: keeps talking"] += 1
    if scene.stopping:
        races["speech while stopping"] += 1
    if scene.turns:
        races["speech while a turn is unanswered"] += 1
    if scene.updates:
        races["update under way at speech"] += 1
    if scene.done_us == entry.time_us:
        races["speech at the moment of done"] += 1
    if any(item.unanswered > 0 for item in scene.items.values()):
        races["speech, truncate unanswered"] += 1


def speech_over(scene: Scene, event: events.InputAudioBufferSpeechStopped, entry: Entry) -> None:
    scene.speaking = False


def committed(scene: Scene, event: events.InputAudioBufferCommitted, entry: Entry) -> None:
    if scene.commits:
        scene.commits -= 1
    elif scene.flags is not None and scene.flags[1]:
        scene.turns += 1
        scene.turns_cut = False


# -- what the application asks -----------------------------------------------------------------


def asked(scene: Scene, given: inputs.Asked, entry: Entry) -> None:
    ask = scene.asking = given.ask
    if scene.left:
        scene.races["leaving twice or late"] += 1
        return
    if scene.speech_under_way:
        scene.races["speech under way at an ask"] += 1
    _in_the_same_microsecond(scene, entry.time_us)
    match ask:
        case asks.Say(reply=True):
            _cuts(scene)
            _wants_reply(scene)
        case asks.Respond(params=params):
            if params is None or params.conversation != "none":
                _wants_reply(scene)
        case asks.Interrupt():
            _cuts(scene)
        case asks.CancelReply():
            if any(not (one.in_band or one.answered) for one in scene.creates.values()):
                scene.races["out of band given up unborn"] += 1
        case asks.Press():
            _cuts(scene)
            if scene.asked_for:
                scene.races["pressed again before created"] += 1
        case asks.Release():
            _released(scene)
        case asks.SendEvent(event=event):
            scene.rules["requests 2: events of its own"] += 1
            _own_event(scene, event)
        case asks.Mute(muted=True):
            scene.races["muted in the middle of speech"] += scene.speaking
        case asks.Leave():
            _cuts(scene)
            _leaves(scene)
        case _:
            pass


def _in_the_same_microsecond(scene: Scene, now_us: int) -> None:
    """As an application does that asks from inside a notice."""
    if scene.told_us == now_us:
        scene.races["ask at the moment of the record"] += 1
    if scene.settled_us == now_us:
        scene.races["ask at the moment of settling"] += 1
    if scene.called_us == now_us:
        scene.races["ask at the moment of a call"] += 1


def _own_event(scene: Scene, event: events.ClientEvent) -> None:
    match event:
        case events.ConversationItemCreate(item=events.FunctionCallOutputItem(call_id=call_id)):
            _output(scene, call_id)
        case events.ConversationItemDelete(item_id=item_id):
            scene.own_deletes.add(item_id)
        case events.ResponseCreate():
            _wants_reply(scene)
        case _:
            pass


def _cuts(scene: Scene) -> None:
    if scene.stopping:
        scene.races["ask while stopping"] += 1


def _wants_reply(scene: Scene) -> None:
    races = scene.races
    if scene.open_in_band:
        races["ask while a response is open"] += 1
    if scene.speaking:
        races["ask while the user speaks"] += 1
    if scene.turns:
        races["ask while a turn is unanswered"] += 1
    for item in scene.items.values():
        if item.deleted:
            races["deleted after the next ask"] += 1
        elif item.reply.cut and not item.done_got and not item.truncates and scene.unsettled:
            races["delete waits, ask waits"] += 1


def _released(scene: Scene) -> None:
    if scene.press_waits:
        scene.races["released while stopping"] += 1


def _output(scene: Scene, call_id: str) -> None:
    races = scene.races
    if scene.speaking:
        races["output while the user speaks"] += 1
    if scene.open_in_band:
        races["output while a response is open"] += 1
    if scene.stopping:
        races["output while stopping"] += 1
    if any(reply.cut and call_id in reply.calls for reply in scene.replies.values()):
        races["output after its response was cut"] += 1


def answered(scene: Scene, command: commands.Answer, entry: Entry) -> None:
    if isinstance(scene.asking, asks.Interrupt) and command.value is None and not command.error:
        scene.rules["interruption: nothing to cut"] += 1


def item_added(scene: Scene, event: events.ConversationItemAdded, entry: Entry) -> None:
    order, item_id, before = scene.order, event.item.id, event.previous_item_id
    if not isinstance(item_id, str):
        return
    if isinstance(before, str) and order and order[-1] != before and before in order:
        scene.rules["conversation 1: not at the end"] += 1
        order.insert(order.index(before) + 1, item_id)
    else:
        order.append(item_id)


def turn_began(scene: Scene, notice: notices.TurnStarted, entry: Entry) -> None:
    if len(notice.ask_ids) > 1:
        scene.races["two asks, one response"] += 1


def turn_over(scene: Scene, notice: notices.TurnEnded, entry: Entry) -> None:
    if notice.role == "user" and notice.status == "superseded":
        scene.rules["listening 3: too little"] += 1


def called(scene: Scene, notice: notices.ToolCalled, entry: Entry) -> None:
    if notice.kind == "mcp":
        return
    scene.called_us = entry.time_us
    scene.rules["calls 1: told once"] += 1


# -- the microphone and the settings -----------------------------------------------------------


def captured(scene: Scene, given: inputs.Captured, entry: Entry) -> None:
    if scene.press_waits:
        scene.races["pressed while stopping"] += 1


def append(scene: Scene, event: events.InputAudioBufferAppend, entry: Entry) -> None:
    if scene.overtook:
        scene.overtook = False
        if scene.drained_us == entry.time_us:
            scene.rules["outbox 2: overtaking"] += 1


def commit(scene: Scene, event: events.InputAudioBufferCommit, entry: Entry) -> None:
    scene.commits += 1
    scene.rules["listening 3: enough"] += 1


def clear(scene: Scene, event: events.InputAudioBufferClear, entry: Entry) -> None:
    scene.press_waits = False
    if scene.commits:
        scene.races["clear behind an unanswered commit"] += 1


def dropped(scene: Scene, notice: notices.Dropped, entry: Entry) -> None:
    scene.rules["outbox 4: dropped"] += notice.what == "microphone"


def update(scene: Scene, event: events.SessionUpdate, entry: Entry) -> None:
    scene.updates += 1
    if scene.open_in_band:
        scene.races["update while a response is open"] += 1
    if scene.speaking:
        scene.races["update while the user speaks"] += 1


def configured(scene: Scene, event: events.SessionUpdated, entry: Entry) -> None:
    scene.updates -= scene.updates > 0
    flags = _flags(event.session)
    if scene.flags is not None and flags != scene.flags:
        scene.rules["listening 4: settings change"] += 1
    scene.flags = flags


def _flags(session: object) -> tuple[bool, bool]:
    """Whether turn detection interrupts, and whether it replies."""
    audio = session.audio if isinstance(session, events.Session) else None
    heard = audio.input if isinstance(audio, events.AudioConfig) else None
    detection = heard.turn_detection if isinstance(heard, events.AudioInputConfig) else None
    if not isinstance(detection, events.ServerVad | events.SemanticVad):
        return False, False
    return detection.interrupt_response is True, detection.create_response is True


# -- the pipe ----------------------------------------------------------------------------------


def blocked(scene: Scene, given: inputs.Blocked, entry: Entry) -> None:
    scene.blocked = True


def drained(scene: Scene, given: inputs.Drained, entry: Entry) -> None:
    scene.blocked = False
    scene.overtook = False
    scene.drained_us = entry.time_us


def _leaves(scene: Scene) -> None:
    scene.left = True
    if scene.unsettled or scene.stopping:
        scene.races["leaving before the settlement"] += 1
    if scene.asked_for or scene.turns:
        scene.races["leaving with a request open"] += 1


def closes(scene: Scene, command: commands.Close, entry: Entry) -> None:
    if scene.left and scene.unsettled:
        scene.rules["deadline: leaving"] += 1


def pipe_closed(scene: Scene, given: inputs.PipeClosed, entry: Entry) -> None:
    scene.lost = True
    if given.code == 1000:
        return
    if scene.stopping:
        scene.races["death while stopping"] += 1
    elif scene.unsettled:
        scene.races["death before the settlement"] += 1
    if scene.asked_for or scene.turns:
        scene.races["death with a request open"] += 1
