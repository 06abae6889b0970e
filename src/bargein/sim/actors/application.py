"""The application: what it asks of the session, and what a good one does when it is told something.

1. It asks for the reply that the server does not begin by itself, and answers the calls of
   functions: late, in vain, or when nobody waits for the answer any more.
2. It knows what the session shows it and no more. What it sends as events of its own is right by
   that: it places items behind items that are there, and deletes each once. What the model said may
   be gone by then, by a cut.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET, UnsetType

from bargein import events
from bargein.core import asks, inputs, notices
from bargein.core.items import ItemView
from bargein.core.notices import Notice
from bargein.sim.actors.client import SimClient
from bargein.sim.choices import Choices
from bargein.sim.options import Options
from bargein.units import US_PER_MS

_FAILED = '{"error": "there is no such city"}'


class Application:
    """`soon` does something after so many microseconds, unless the session is over by then."""

    def __init__(
        self,
        options: Options,
        *,
        choices: Choices,
        client: SimClient,
        soon: Callable[[Callable[[], object], int], None],
    ) -> None:
        self._options = options
        self._choices = choices
        self._client = client
        self._soon = soon
        self._asked = 0
        self._last_reply: int | None = None
        self._last_aside: int | None = None
        self._calls = 0
        self._own: list[str] = []
        self._used: set[str] = set()

    def ask(self, ask: asks.Ask) -> int:
        """Ask; gives the id of the ask."""
        self._asked += 1
        ask_id = self._asked
        if isinstance(ask, asks.Say | asks.Respond):
            self._last_reply = ask_id
        self._client.give(inputs.Asked(ask_id, ask))
        return ask_id

    # -- what it does by itself ----------------------------------------------------------------

    def notified(self, notice: Notice) -> None:
        """Do what a good application does then."""
        options = self._options
        match notice:
            case notices.TurnEnded(role="user"):
                # With push-to-talk the client asks for the reply itself.
                if options.turns != "manual" and not options.create_response:
                    self._soon(self.respond, 0)
            case notices.ToolCalled(call_id=call_id, kind="function") if options.own_tools is None:
                self._call(call_id)
            case _:
                pass

    def _call(self, call_id: str) -> None:
        self._calls += 1
        choices, stream = self._choices, f"tools/{self._calls}"
        delay_ms = choices.draw(stream, 0, 5_000)
        if choices.rarely(f"{stream}.more", 4):
            delay_ms += choices.draw(f"{stream}.more", 0, 15_000)
        output = _FAILED if choices.rarely(f"{stream}.fails", 5) else '{"rain": true}'
        goes_on = choices.rarely(f"{stream}.goes_on", 3)
        self._soon(lambda: self._answer_call(call_id, output, goes_on), delay_ms * US_PER_MS)

    def _answer_call(self, call_id: str, output: str, goes_on: bool) -> None:
        item = events.FunctionCallOutputItem(call_id=call_id, output=output)
        self.ask(asks.SendEvent(events.ConversationItemCreate(item=item)))
        if goes_on:
            self.respond()

    def _perhaps_soon(self, stream: str, action: Callable[[], None], most_ms: int) -> None:
        """Once in three times do it after up to so many milliseconds."""
        if self._choices.rarely(stream, 3):
            self._soon(action, self._choices.draw(stream, 0, most_ms) * US_PER_MS)

    # -- what it is made to do -----------------------------------------------------------------

    def say(self) -> None:
        """A typed message."""
        self.ask(asks.Say("Tell me a story."))

    def say_without_reply(self) -> None:
        """A typed message that asks for nothing."""
        self.ask(asks.Say("By the way.", reply=False))

    def respond(self) -> None:
        """A reply without a message."""
        self.ask(asks.Respond())

    def interrupt(self) -> None:
        """Stop."""
        self.ask(asks.Interrupt())

    def respond_aside(self, stream: str) -> None:
        """A reply out of band."""
        modality = self._choices.pick(stream, ("text", "audio"))
        params = events.ResponseParams(conversation="none", output_modalities=(modality,))
        self._last_aside = self.ask(asks.Respond(params))
        self._perhaps_soon(f"{stream}.aside", self.cancel_aside, 100)
        self._perhaps_soon(f"{stream}.later", self.cancel_aside, 3_000)
        if self._choices.rarely(f"{stream}.beside", 4):
            # A cut of the conversation, which is to leave this one alone.
            delay_us = self._choices.draw(f"{stream}.beside", 0, 100) * US_PER_MS
            self._soon(self.interrupt, delay_us)

    def respond_aside_twice_or_more(self, stream: str) -> None:
        """Several replies out of band beside each other."""
        for _ in range(self._choices.draw(stream, 2, 3)):
            self.respond_aside(stream)

    def cancel_reply(self, stream: str) -> None:
        """Give up the reply that was asked for last; every other time after asking for another one,
        which may still wait then."""
        given_up = self._last_reply
        if given_up is not None and self._choices.rarely(f"{stream}.another", 2):
            self.respond()
        self._cancel(given_up)

    def cancel_aside(self) -> None:
        """Give up the last reply out of band."""
        self._cancel(self._last_aside)

    def _cancel(self, ask_id: int | None) -> None:
        self.ask(asks.Interrupt() if ask_id is None else asks.CancelReply(ask_id))

    def cancel_by_event(self) -> None:
        """A bare cancel, as one writes it who knows the protocol."""
        self.ask(asks.SendEvent(events.ResponseCancel()))

    def respond_by_event(self) -> None:
        """A create of its own, with a wish."""
        params = events.ResponseParams(instructions="Answer in one word.")
        self.ask(asks.SendEvent(events.ResponseCreate(response=params)))

    def instruct(self) -> None:
        """Change the session, but not its turns."""
        self.ask(asks.Update(events.Session(instructions="Be brief.")))

    def hold(self, stream: str) -> None:
        """Pause the sound for a while; once in three times interrupt it while it falls silent."""
        self.ask(asks.Hold())
        self._perhaps_soon(f"{stream}.hold", self.interrupt, 20)
        delay_us = self._choices.draw(stream, 0, 2_000) * US_PER_MS
        self._soon(lambda: self.ask(asks.Resume()), delay_us)

    def place_item(self, stream: str) -> None:
        """An item of its own: at the end, at the start, or behind a message that is there."""
        place = self._choices.pick(stream, ("end", "start", "behind"))
        if place == "start":
            self._place("root")
        elif place == "behind" and (there := self._there()):
            # From here on it is not to be deleted: the new one may be on its way for long.
            self._used.add(there[0])
            self._place(there[0])
        else:
            self._place(UNSET)

    def _place(self, previous_item_id: str | UnsetType) -> None:
        item_id = f"app_{len(self._own)}"
        self._own.append(item_id)
        item = events.MessageItem(
            id=item_id, role="user", content=(events.InputText(text="It rains."),)
        )
        event = events.ConversationItemCreate(item=item, previous_item_id=previous_item_id)
        self.ask(asks.SendEvent(event))

    def touch_item(self, stream: str, *, again: bool = False) -> None:
        """Look at an item of its own that is there, or delete it. Without one, make one first."""
        mine = [item_id for item_id in self._there() if item_id in self._own]
        if not mine and not again:
            self.place_item(stream)
            delay_us = self._choices.draw(f"{stream}.touch", 200, 2_000) * US_PER_MS
            self._soon(lambda: self.touch_item(f"{stream}.touch", again=True), delay_us)
        if not mine:
            return
        deletes = self._choices.pick(stream, ("retrieve", "delete")) == "delete"
        # It has read what its server can do.
        if not deletes or not self._options.obeys_delete:
            self.ask(asks.SendEvent(events.ConversationItemRetrieve(item_id=mine[0])))
        else:
            self._used.add(mine[0])
            self.ask(asks.SendEvent(events.ConversationItemDelete(item_id=mine[0])))
            self._perhaps_soon(f"{stream}.delete", self.interrupt, 100)

    def touch_reply(self, stream: str) -> None:
        """What the model said last: delete it, or place an item behind it. Both may be too late."""
        said = [item.id for item in self._client.mirror if self._is_said(item)]
        if not said:
            return
        deletes = self._choices.pick(stream, ("delete", "place")) == "delete"
        if not deletes:
            self._place(said[-1])
        elif self._options.obeys_delete and said[-1] not in self._used:
            self._used.add(said[-1])
            self.ask(asks.SendEvent(events.ConversationItemDelete(item_id=said[-1])))
            self._perhaps_soon(f"{stream}.delete", self.interrupt, 100)

    @staticmethod
    def _is_said(item: ItemView) -> bool:
        return item.role == "assistant" and item.status in ("completed", "incomplete")

    def _there(self) -> tuple[str, ...]:
        """The user's messages that the session shows as there, but for those that were used."""
        return tuple(
            item.id
            for item in self._client.mirror
            if item.role == "user" and item.state == "there" and item.id not in self._used
        )
