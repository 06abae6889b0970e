"""One interruption on the pure machine: no network, no sound card, no clock."""

import json

from bargein.core import inputs
from bargein.core.commands import Command, Send, StopPlayback
from bargein.core.machine import Machine
from bargein.core.settings import Settings
from bargein.events import codec


def main() -> None:
    machine = Machine(Settings())

    def give(at_ms: int, happened: inputs.Input) -> list[Command]:
        commands = machine.handle(happened, now_us=at_ms * 1_000)
        for command in commands:
            if isinstance(command, Send):
                print(f"{at_ms:>5} ms  send {codec.encode(command.event)}")
            elif isinstance(command, StopPlayback):
                print(f"{at_ms:>5} ms  stop the player, {command.cut_id}")
        return commands

    def says(at_ms: int, **event: object) -> list[Command]:
        return give(at_ms, inputs.Received(codec.decode_server(json.dumps(event))))

    item = {"id": "A", "type": "message", "role": "assistant", "status": "in_progress"}
    place = {"response_id": "R", "item_id": "A", "output_index": 0, "content_index": 0}
    two_seconds_of_pcm = "AAAA" * 32_000  # base64 of 96 000 bytes: 48 000 samples at 24 kHz
    give(0, inputs.PipeOpened())
    says(1, type="session.created", session={"type": "realtime"})
    says(2, type="response.created", response={"id": "R", "status": "in_progress"})
    says(3, type="conversation.item.added", item=item)
    says(4, type="response.output_item.added", response_id="R", output_index=0, item=item)
    says(5, type="response.output_audio.delta", delta=two_seconds_of_pcm, **place)
    part = inputs.Part("R", "A", 0)
    give(705, inputs.Rendered((inputs.Heard(part, 16_800),)))
    # Rule 2: the stop is the first thing, and nothing is told before the player has answered.
    says(710, type="input_audio_buffer.speech_started", item_id="U", audio_start_ms=200)
    # 0.72 s were heard: what the card still held is in the answer. 17 279 samples are 719 ms.
    give(712, inputs.PlaybackStopped("cut_0_1", (inputs.Heard(part, 17_279),)))


if __name__ == "__main__":
    main()
