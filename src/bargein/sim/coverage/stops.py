"""What happens to cuts: the stop, its answer, the record, what is sent for it, and the end."""

from __future__ import annotations

from bargein import events
from bargein.core import asks, commands, inputs, notices
from bargein.sim.coverage.cuts import end_of, place_of
from bargein.sim.coverage.scene import Cut, Scene
from bargein.sim.history import Entry
from bargein.units import AudioFormat


def _begins(scene: Scene, cut_id: str, now_us: int) -> Cut:
    """A cut was asked for just now: what is open and asked for is cut with it."""
    cut = scene.cuts[cut_id] = Cut(now_us, done=not scene.open_in_band)
    races, rules = scene.races, scene.rules
    scene.cut_us = now_us
    if isinstance(scene.asking, asks.SendEvent):
        races["cut by an event of its own"] += 1
    if scene.unsettled:
        races["cut before the last is settled"] += 1
    if scene.blocked:
        races["cut while the socket is full"] += 1
    if scene.hold_waits:
        races["hold unanswered at the cut"] += 1
    elif scene.held:
        races["cut while held"] += 1
    if scene.own_deletes:
        races["its own delete at a cut"] += 1
    if scene.asking is not None:
        if scene.done_us == now_us:
            races["cut at the moment of done"] += 1
        if scene.created_us == now_us:
            races["cut at the moment of created"] += 1
        if scene.delta_us == now_us:
            races["cut at the moment of a delta"] += 1
    _cut_what_is_asked_for(scene)
    for reply in scene.replies.values():
        if not reply.created_got:
            races["created under way at the cut"] += reply.in_band
        elif not reply.done_got:
            if reply.in_band:
                reply.cut = True
            else:
                races["cut beside out of band"] += 1
                rules["ledger 9: out of band"] += 1
    return cut


def _cut_what_is_asked_for(scene: Scene) -> None:
    if isinstance(scene.asking, asks.CancelReply):
        # It gives up one reply; which one is the client's to know.
        return
    for asked in scene.creates.values():
        if asked.in_band and not (asked.answered or asked.cut):
            asked.cut = True
            scene.rules["ledger 8: a create is remembered"] += 1
            if not asked.arrived:
                scene.races["create under way at the cut"] += 1
    if scene.turns and not scene.turns_cut:
        scene.turns_cut = True
        scene.rules["ledger 8: a turn is remembered"] += 1


# -- the player --------------------------------------------------------------------------------


def stop(scene: Scene, command: commands.StopPlayback, entry: Entry) -> None:
    _begins(scene, command.cut_id, entry.time_us)
    scene.stopping += 1
    if isinstance(scene.asking, asks.Press):
        scene.press_waits = True
        scene.rules["listening 2: pressed into a reply"] += 1


def hold(scene: Scene, command: commands.HoldPlayback, entry: Entry) -> None:
    scene.held = scene.hold_waits = True


def held(scene: Scene, given: inputs.PlaybackHeld, entry: Entry) -> None:
    scene.hold_waits = False


def resume(scene: Scene, command: commands.ResumePlayback, entry: Entry) -> None:
    scene.held = scene.hold_waits = False


def rendered(scene: Scene, given: inputs.Rendered, entry: Entry) -> None:
    scene.rendered = given


def starved(scene: Scene, given: inputs.Starved, entry: Entry) -> None:
    scene.rules["player: starved"] += 1


def stopped(scene: Scene, given: inputs.PlaybackStopped, entry: Entry) -> None:
    cut = scene.cuts.get(given.cut_id)
    if cut is None:
        return
    heard = {count.part: count.samples for count in given.heard}
    if cut.answered:
        _corrected(scene, cut, heard)
    elif cut.told is not None:
        scene.races["answer after its deadline"] += 1
    elif scene.created_us >= cut.asked_us:
        scene.races["next created before the answer"] += 1
    if not cut.answered:
        scene.stopping -= cut.told is None
        if cut.asked_us < entry.time_us:
            scene.answered_us = entry.time_us
    cut.answered = True
    cut.heard = heard
    if scene.rendered is not None:
        for count in scene.rendered.heard:
            if heard.get(count.part, count.samples) != count.samples:
                scene.rules["ledger 1: the stop's count"] += 1
                break


def _corrected(scene: Scene, cut: Cut, heard: dict[inputs.Part, int]) -> None:
    differ = [heard.get(part, samples) - samples for part, samples in cut.heard.items()]
    if not any(differ):
        return
    when = "after" if cut.settled else "before"
    scene.races[f"correction {when} the settlement"] += 1
    scene.races[f"{'smaller' if min(differ) < 0 else 'larger'} correction"] += 1


# -- the records -------------------------------------------------------------------------------


def told(scene: Scene, told: notices.Interruption, entry: Entry) -> None:
    cut = scene.cuts.get(told.cut_id)
    if cut is None:
        cut = _begins(scene, told.cut_id, entry.time_us)
    elif not cut.answered and cut.told is None:
        scene.stopping -= 1
        # A player that cannot tell is not waited for.
        if not scene.lost and cut.asked_us < entry.time_us:
            scene.rules["deadline: the player's word"] += 1
    cut.told = told
    scene.told_us = entry.time_us
    for response_id in told.response_ids:
        reply = scene.replies.get(response_id)
        if reply is not None:
            reply.cut = True
    asker = told.askers[0]
    _count(scene, f"{asker}: {place_of(told, done=cut.done)}")
    if asker == "service":
        scene.rules["cuts: by the service"] += 1
    elif asker == "speech" and cut.done and told.response_ids:
        scene.races["speech after done, still heard"] += 1
    if len(told.response_ids) > 1:
        scene.rules["ledger 3: several responses"] += 1
    for part in told.parts:
        if part.heard_samples * 1_000 % part.rate:
            scene.rules["ledger 10: rounded down"] += 1
            break


def settled(scene: Scene, record: notices.InterruptionSettled, entry: Entry) -> None:
    cut = scene.cuts.get(record.cut_id)
    if cut is None or cut.told is None:
        return
    rules = scene.rules
    if not cut.settled:
        replies = [scene.replies[one] for one in record.response_ids if one in scene.replies]
        end = end_of(record, by_server=any(reply.by_server for reply in replies))
        _count(scene, f"{record.askers[0]}: {end}")
        rule = {"we cancel": "", "server cancels": "the server cancels"}.get(end, "over already")
        if rule:
            rules[f"ledger 9: {rule}"] += 1
    cut.settled = True
    scene.settled_us = entry.time_us
    if len(record.askers) > 1:
        rules["ledger 15: joined"] += 1
    if len(record.askers) > len(cut.told.askers):
        scene.races["ask joins a cut that was told"] += 1
    match record.exactness:
        case "lost":
            rules["ledger 14: lost"] += 1
        case "inexact":
            rules["player: cannot tell"] += 1
        case "within":
            rules["player: within a margin"] += 1
        case _:
            pass
    _parts(scene, record, {(part.item_id, part.content_index) for part in cut.told.parts})


def _count(scene: Scene, kind: str) -> None:
    """Those without a name cannot happen; where one does, it is shown beside the catalogue."""
    scene.kinds[kind] = scene.kinds.get(kind, 0) + 1


def _parts(scene: Scene, record: notices.InterruptionSettled, known: set[tuple[str, int]]) -> None:
    rules = scene.rules
    heard_items = {part.item_id for part in record.parts if part.heard_samples}
    for place, part in enumerate(record.parts):
        whole = part.heard_samples == part.received_samples and part.received_samples > 0
        if whole and place + 1 < len(record.parts):
            rules["ledger 3: before the playhead"] += 1
        if not part.heard_samples and part.received_samples:
            rules["ledger 3: behind the playhead"] += 1
        if (part.item_id, part.content_index) not in known:
            rules["ledger 3: still to come"] += 1
        item = scene.items.get(part.item_id)
        if part.action == "none" and whole:
            rules["ledger 4: left alone"] += 1
        elif part.action == "truncate":
            if whole and item is not None and item.done_got and not item.completed:
                rules["ledger 4: looks finished"] += 1
            if part.sent_ms == 0:
                rules["ledger 5: truncated to 0"] += 1
            if item is not None and item.shown and part.item_id not in heard_items:
                rules["ledger 5: shown"] += 1
        if part.answer == "unconfirmed" and _acknowledges(scene):
            rules["ledger 12: unconfirmed"] += 1


def _acknowledges(scene: Scene) -> bool:
    """As far as the client knows at the start: it waits for an answer."""
    return scene.options.acknowledges or not scene.options.declared


def words(scene: Scene, notice: notices.Transcript, entry: Entry) -> None:
    if notice.cut and notice.text:
        scene.rules["conversation 3: share of the text"] += 1


# -- what is sent for a cut, and its answers ---------------------------------------------------


def truncate(scene: Scene, event: events.ConversationItemTruncate, entry: Entry) -> None:
    if scene.answered_us == entry.time_us:
        scene.rules["ledger 2: time to answer"] += 1
    if scene.drained_us == entry.time_us:
        scene.overtook = True
    if event.content_index:
        scene.rules["ledger 10: another content index"] += 1
    if scene.options.format is not AudioFormat.PCM:
        scene.rules["ledger 10: another rate"] += 1
    item = scene.items.get(event.item_id)
    if item is None:
        return
    item.truncates += 1
    item.unanswered += 1
    if item.truncates > len(item.parts):
        scene.rules["ledger 12: once more"] += 1
    if item.done_sent and not item.done_got:
        scene.races["item done, truncate goes out"] += 1
    if item.sent > item.got:
        scene.races["sound coming, truncate goes out"] += 1


def truncated(scene: Scene, event: events.ConversationItemTruncated, entry: Entry) -> None:
    item = scene.items.get(event.item_id)
    if item is None:
        return
    item.unanswered -= 1
    scene.rules["ledger 12: agreed"] += 1
    if any(other is not item.reply and other.in_band for other in scene.open):
        scene.races["truncated after the next created"] += 1


def delete(scene: Scene, event: events.ConversationItemDelete, entry: Entry) -> None:
    item = scene.items.get(event.item_id)
    if scene.drained_us == entry.time_us:
        scene.overtook = True
    if item is None:
        return
    item.deleted = True
    scene.rules["ledger 5: deleted"] += 1
    if scene.cut_us < entry.time_us and scene.answered_us < entry.time_us:
        scene.rules["ledger 5: delete waits"] += 1
    if not (item.done_got or item.reply.done_got):
        scene.rules["deadline: the item's end"] += 1


def deleted(scene: Scene, event: events.ConversationItemDeleted, entry: Entry) -> None:
    if event.item_id in scene.order:
        scene.order.remove(event.item_id)
    scene.own_deletes.discard(event.item_id)
    item = scene.items.get(event.item_id)
    if item is not None:
        item.deleted = False
