// Sound, sample by sample: what is measured, what the microphone hears, what is played and counted.
// Nothing is decided here: a count is told, and what follows comes back as a message.

const LOUD = 500 / 32768;
const FADE = 96; // samples at 24 kHz: 4 ms, and counted as heard

/** Says of each 20 ms how loud they were, numbered on the context's clock. */
class Meter extends AudioWorkletProcessor {
  constructor() {
    super();
    this.length = Math.round(sampleRate / 50);
    this.filled = 0;
    this.peak = 0;
  }

  process([input]) {
    const channel = input[0];
    const count = channel ? channel.length : 128;
    for (let at = 0; at < count; at += 1) {
      if (channel) this.peak = Math.max(this.peak, Math.abs(channel[at]));
      this.filled += 1;
      if (this.filled === this.length) {
        const number = Math.round((currentFrame + at) / this.length);
        this.port.postMessage({ number, peak: this.peak, loud: this.peak > LOUD });
        this.filled = 0;
        this.peak = 0;
      }
    }
    return true;
  }
}

/** Gives what the microphone hears in pieces of 20 ms of 16-bit PCM. */
class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.length = Math.round(sampleRate / 50);
    this.begin();
  }

  begin() {
    this.piece = new Int16Array(this.length);
    this.filled = 0;
  }

  process([input]) {
    const channel = input[0];
    if (!channel) return true;
    for (const sample of channel) {
      this.piece[this.filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
      this.filled += 1;
      if (this.filled === this.length) {
        this.port.postMessage(this.piece.buffer, [this.piece.buffer]);
        this.begin();
      }
    }
    return true;
  }
}

/** Plays numbered parts, one behind the other, and counts what it gave to the device of each. */
class PartPlayer extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = [];
    this.heard = {};
    this.held = false;
    this.ending = null;
    this.untold = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take({ play, pcm, stop, hold, resume }) {
    if (play !== undefined) {
      this.heard[play] ??= 0;
      this.queue.push({ part: play, pcm, at: 0 });
    } else if (stop !== undefined) this.ending = { stopped: stop };
    else if (hold !== undefined) this.ending = { held: hold };
    else if (resume) this.held = false;
  }

  process(_, [output]) {
    const channel = output[0];
    let filled = 0;
    const room = this.ending ? Math.min(FADE, channel.length) : channel.length;
    while (!this.held && filled < room && this.queue.length) {
      const first = this.queue[0];
      const count = Math.min(room - filled, first.pcm.length - first.at);
      for (let i = 0; i < count; i += 1) {
        const fade = this.ending ? 1 - (filled + i) / FADE : 1;
        channel[filled + i] = (first.pcm[first.at + i] / 32768) * fade;
      }
      first.at += count;
      filled += count;
      this.heard[first.part] += count;
      if (first.at === first.pcm.length) this.queue.shift();
    }
    this.untold += filled;
    if (this.ending) this.end();
    else if (this.untold >= sampleRate / 50 || (this.untold && !this.queue.length)) {
      this.untold = 0;
      this.port.postMessage({ rendered: this.heard });
    }
    return true;
  }

  end() {
    this.port.postMessage({ ...this.ending, heard: this.heard });
    if ("stopped" in this.ending) {
      this.queue = [];
      this.heard = {};
      this.held = false;
    } else this.held = true;
    this.ending = null;
    this.untold = 0;
  }
}

registerProcessor("meter", Meter);
registerProcessor("microphone", Microphone);
registerProcessor("part-player", PartPlayer);
