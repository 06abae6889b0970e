"""What happens to responses: asked for, begun, ended, cancelled, and what crosses that."""

from __future__ import annotations

from bargein import events
from bargein.sim.coverage.scene import Asked, Reply, Scene, Spoken
from bargein.sim.history import Entry

# -- what the server sends ---------------------------------------------------------------------


def begins(scene: Scene, event: events.ResponseCreated, entry: Entry) -> None:
    response = event.response
    asked = scene.creates.get(entry.cause)
    in_band = response.conversation_id is not None
    scene.replies[response.id] = Reply(response.id, in_band, asked)
    if asked is None and any(one.in_band and not one.arrived for one in scene.creates.values()):
        scene.races["create crosses an automatic one"] += 1


def item_begins(scene: Scene, event: events.ResponseOutputItemAdded, entry: Entry) -> None:
    if isinstance(event.item, events.MessageItem) and isinstance(event.item.id, str):
        scene.items[event.item.id] = Spoken(scene.replies[event.response_id])


def sounds(scene: Scene, event: events.ResponseOutputAudioDelta, entry: Entry) -> None:
    scene.items[event.item_id].sent += 1


def item_ends(scene: Scene, event: events.ResponseOutputItemDone, entry: Entry) -> None:
    item = scene.items.get(str(event.item.id))
    if item is not None:
        item.done_sent = True


def ends(scene: Scene, event: events.ResponseDone, entry: Entry) -> None:
    reply = scene.replies[event.response.id]
    reply.done_sent = True
    if reply.cancel_sent and not reply.cancel_arrived:
        scene.races["done before our cancel arrived"] += 1


# -- what the server gets ----------------------------------------------------------------------


def create_arrives(scene: Scene, event: events.ResponseCreate, entry: Entry) -> None:
    scene.creates[entry.number].arrived = True


def cancel_arrives(scene: Scene, event: events.ResponseCancel, entry: Entry) -> None:
    reply = scene.replies.get(str(event.response_id))
    if reply is not None:
        reply.cancel_arrived = True


# -- what the client gets ----------------------------------------------------------------------


def created(scene: Scene, event: events.ResponseCreated, entry: Entry) -> None:
    reply = scene.replies[event.response.id]
    if scene.stopping:
        scene.races["created while stopping"] += 1
    if any(other.in_band is not reply.in_band for other in scene.open):
        scene.races["out of band beside another"] += 1
    if scene.cut_us == entry.time_us and scene.asking is None:
        scene.races["cut at the moment of created"] += 1
    if not reply.in_band and any(not other.in_band for other in scene.open):
        scene.rules["responses: several aside"] += 1
    reply.created_got = True
    if reply.asked is not None:
        reply.asked.answered = True
        if reply.asked.cut:
            reply.cut = reply.unborn = True
            scene.races["created for a cut request"] += 1
    if not reply.in_band:
        return
    scene.created_us = entry.time_us
    if reply.asked is None and scene.turns and scene.turns_cut:
        reply.cut = reply.unborn = True
        scene.races["created for a cut turn"] += 1
    if scene.debt:
        scene.debt = False
        pays = reply.asked is not None and reply.asked.pays
        scene.rules[f"ledger 13: paid by {'our create' if pays else 'another'}"] += 1
    scene.turns = 0
    scene.turns_cut = False


def item_added(scene: Scene, event: events.ResponseOutputItemAdded, entry: Entry) -> None:
    if scene.replies[event.response_id].cut:
        scene.races["new item after the cut"] += 1


def sound(scene: Scene, event: events.ResponseOutputAudioDelta, entry: Entry) -> None:
    item = scene.items[event.item_id]
    item.got += 1
    scene.delta_us = entry.time_us
    reply = item.reply
    if not reply.cut:
        item.parts.add(event.content_index)
        if scene.cut_us == entry.time_us:
            scene.races["cut at the moment of a delta"] += 1
        elif scene.stopping:
            scene.races["new sound while stopping"] += 1
        return
    scene.races["sound after the cut"] += 1
    scene.rules["ledger 6: sound of a cut response"] += 1
    if event.content_index not in item.parts:
        item.parts.add(event.content_index)
        scene.races["new part after the cut"] += 1
        if reply.unborn:
            scene.rules["ledger 6: cut before it was born"] += 1


def text(scene: Scene, event: events.ResponseOutputTextDelta, entry: Entry) -> None:
    item = scene.items[event.item_id]
    item.shown = item.shown or not item.reply.cut


def transcript(scene: Scene, event: events.ResponseOutputAudioTranscriptDone, entry: Entry) -> None:
    item = scene.items[event.item_id]
    if item.reply.cut and event.content_index in item.parts:
        scene.rules["ledger 11: late transcript"] += 1


def item_done(scene: Scene, event: events.ResponseOutputItemDone, entry: Entry) -> None:
    item = scene.items.get(str(event.item.id))
    if item is not None:
        item.done_got = True
        item.completed = getattr(event.item, "status", None) == "completed"
    elif isinstance(event.item, events.FunctionCallItem):
        reply = scene.replies[event.response_id]
        reply.calls.add(str(event.item.call_id))
        if reply.cut:
            scene.races["call after the cut"] += 1
        if event.item.status == "incomplete":
            scene.rules["calls 1: cut off"] += 1


def done(scene: Scene, event: events.ResponseDone, entry: Entry) -> None:
    response = event.response
    reply = scene.replies[response.id]
    reply.done_got = True
    scene.over_us = entry.time_us
    if response.status in ("failed", "incomplete"):
        scene.rules[f"response: {response.status}"] += 1
    elif not response.output:
        scene.rules["response: empty"] += 1
    if response.status != "cancelled":
        scene.done_us = entry.time_us
        if scene.cut_us == entry.time_us and reply.cut and not reply.unborn:
            scene.races["cut at the moment of done"] += 1
        if scene.speech_us == entry.time_us:
            scene.races["speech at the moment of done"] += 1
    details = response.status_details
    if isinstance(details, events.StatusDetails):
        reply.by_server = details.reason == "turn_detected"
    if scene.stopping:
        scene.races["done while stopping"] += 1
    if reply.cut:
        scene.races["done after the cut"] += 1
        if scene.blocked and not reply.cancel_sent and not reply.by_server:
            scene.races["done while a cancel waits"] += 1


def refused(scene: Scene, event: events.Error, entry: Entry) -> None:
    """A refusal says that a request is over, and which refusal it was says what was met."""
    body = event.error
    named = isinstance(body.event_id, str)
    if body.code == "conversation_already_has_active_response":
        if not named:
            scene.debt = True
            scene.races["automatic one crosses a create"] += 1
    elif body.code == "invalid_value" and "already shorter than" in body.message:
        scene.rules["ledger 12: shorter"] += 1
        if not named:
            scene.rules["faults 2: matched by its text"] += 1
    elif body.code == "input_audio_buffer_commit_empty":
        scene.commits -= 1


# -- what the client sends ---------------------------------------------------------------------


def create(scene: Scene, event: events.ResponseCreate, entry: Entry) -> None:
    params = event.response
    in_band = not isinstance(params, events.ResponseParams) or params.conversation != "none"
    if any(not one.answered and one.in_band is not in_band for one in scene.creates.values()):
        scene.rules["responses 7: by order"] += 1
    asked = scene.creates[entry.number] = Asked(in_band)
    if not in_band:
        return
    asked.pays = scene.debt
    if scene.over_us == entry.time_us:
        scene.rules["ledger 7: create waits"] += 1
    for reply in scene.replies.values():
        if reply.in_band and reply.asked is None and not reply.created_got:
            scene.races["create crosses an automatic one"] += 1


def cancel(scene: Scene, event: events.ResponseCancel, entry: Entry) -> None:
    scene.rules["ledger 9: we cancel"] += 1
    if scene.drained_us == entry.time_us:
        scene.overtook = True
    reply = scene.replies.get(str(event.response_id))
    if reply is None:
        return
    reply.cancel_sent = True
    if reply.done_sent and not reply.done_got:
        scene.races["done under way at our cancel"] += 1
    if scene.speech_under_way and reply.in_band:
        scene.races["speech under way at our cancel"] += 1
