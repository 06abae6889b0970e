// What both programs need: the user's voice, events to wait for, and a line of JSON for each step.
import { readFileSync } from 'node:fs';

export const MODEL = process.env.MODEL;
const CHUNK_BYTES = 960; // 20 ms
const speech = readFileSync(process.env.SPEECH);

// The spoken sentence in small pieces.
export function* pieces() {
  for (let start = 0; start < speech.length; start += CHUNK_BYTES) {
    yield speech.subarray(start, start + CHUNK_BYTES);
  }
}

export function tell(step) {
  process.stdout.write(`${JSON.stringify(step)}\n`);
}

// Keeps what was received, and gives it out in order: each event once.
export class Inbox {
  constructor() {
    this.events = [];
    this.read = 0;
    this.waiting = null;
  }

  put(event) {
    this.events.push(event);
    this.waiting?.();
  }

  async next() {
    while (this.read === this.events.length) {
      await new Promise((resolve) => {
        this.waiting = resolve;
      });
    }
    return this.events[this.read++];
  }

  // Everything up to the nth event of this type from here.
  async until(type, count = 1) {
    const seen = [];
    while (count > 0) {
      const event = await this.next();
      seen.push(event);
      if (event.type === type) count -= 1;
    }
    return seen;
  }

  // All events of this type, once there are so many of them; what was read stays read.
  async all(type, count) {
    const found = () => this.events.filter((event) => event.type === type);
    while (found().length < count) {
      await new Promise((resolve) => {
        this.waiting = resolve;
      });
    }
    return found();
  }
}

export function last(events, type) {
  return events.filter((event) => event.type === type).at(-1);
}
