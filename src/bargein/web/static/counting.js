// What can be told of a page without a page: pure, so that it can be tried alone.

export const QUIET_FRAMES = 5;

/** How many frames sounded on after `from`, up to the first of five quiet ones in a row; null while
 *  that is not known yet. `loud` says of each frame whether it had sound in it. */
export function framesUntilSilent(loud, from) {
  for (let at = from; at + QUIET_FRAMES <= loud.length; at += 1)
    if (!loud.slice(at, at + QUIET_FRAMES).some(Boolean)) return at - from;
  return null;
}

/** The log of events. It keeps so many; what is dropped is the oldest, and counted. */
export class EventLog {
  constructor(limit) {
    this.limit = limit;
    this.dropped = 0;
    this.entries = [];
  }

  add(entry) {
    this.entries.push(entry);
    if (this.entries.length > this.limit) {
      this.entries.shift();
      this.dropped += 1;
    }
  }

  /** As a file: one JSON object a line. */
  lines() {
    const rows = this.entries.map(({ at_ms, direction, event }) =>
      JSON.stringify({ at_ms, direction, event }));
    if (this.dropped) rows.unshift(JSON.stringify({ dropped: this.dropped }));
    return rows.map((row) => `${row}\n`).join("");
  }
}

/** Whether an entry is wanted: by its direction, and by words that all stand in it. */
export function wanted(entry, { text, sent, received }) {
  if (!(entry.direction === "sent" ? sent : received)) return false;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return true;
  const whole = `${entry.type} ${JSON.stringify(entry.event)}`.toLowerCase();
  return words.every((word) => whole.includes(word));
}

const ASKERS = {
  speech: "you spoke",
  interrupt: "the stop button",
  typed: "you typed",
  push_to_talk: "the button to talk",
  cancel: "the reply was cancelled",
  leave: "the end of the call",
  service: "the server",
};

/** The record of an interruption as rows of a table: what, and how much. */
export function recordRows(record) {
  const known = (value, unit) => (value === null || value === undefined ? "not told yet" : `${value} ${unit}`);
  const rows = [
    ["By", record.askers.map((who) => ASKERS[who] ?? who).join(", ")],
    ["Heard", known(record.heard_ms, "ms")],
    ["Kept by the server", known(record.kept_ms, "ms")],
  ];
  if (record.settled) {
    rows.push(["Kept − heard", known(record.drift_ms, "ms")]);
    rows.push(["How exact", record.exactness]);
    rows.push(["Sent for it", record.commands.join(", ") || "nothing: the server cut by itself"]);
  }
  return rows;
}

export function clock(ms) {
  return `${(ms / 1000).toFixed(3)} s`;
}
