// The page: it carries what the user does to the machine, and shows what it is told.

import { EventLog, clock, framesUntilSilent, recordRows, wanted } from "./counting.js";
import { Line, takeToken, tokenForKey } from "./line.js";
import { escape, holdable } from "./press.js";
import { Transcript, at, floor, notice, standing } from "./show.js";
import { Carried, Connection, Ear, Gate, Shutter, newContext, pieces } from "./sound.js";

const MOST_EVENTS = 5000;
const SHOWN_EVENTS = 300;
const WIRE_RATE = 24000;

const transcript = new Transcript(at("transcript"));
const log = new EventLog(MOST_EVENTS);
const cuts = new Map();
let call = null;
let fitting = 0;

const ear = new Ear((peak, loud) => {
  const meter = at("ear");
  meter.value = Math.round(Math.min(1, peak) * 100);
  meter.dataset.frames = Number(meter.dataset.frames ?? 0) + 1;
  meter.dataset.loud = Number(meter.dataset.loud ?? 0) + (loud ? 1 : 0);
  for (const cut of cuts.values()) cut.measure();
});

/** What the user has chosen and what carries it, from Talk to the end. */
class Call {
  constructor() {
    this.turns = document.querySelector('input[name="turns"]:checked').value;
    this.line = null;
    this.microphone = null;
    this.connection = null;
    this.gate = null;
    this.carried = null;
    this.contexts = [];
  }

  async begin() {
    this.microphone = await openMicrophone();
    this.openMicrophone(this.turns === "hands_free");
    const context = await this.newContext();
    const { offer, why } = await this.offer(context);
    this.line = new Line({
      told: (message) => this.told(message),
      sound: (part, pcm) => this.carried?.play(part, pcm),
      ended: (code, reason) => this.ended(code, reason),
    });
    await this.line.opened;
    this.line.do("talk", { turns: this.turns, offer, why_no_offer: why });
  }

  async newContext(rate) {
    const context = await newContext(rate);
    if (context) this.contexts.push(context);
    return context;
  }

  async offer(context) {
    if (!window.RTCPeerConnection) return { offer: null, why: "this browser has none" };
    try {
      this.connection = new Connection({
        microphone: this.microphone,
        heard: (stream) => {
          // Chromium gives a stream to a context only while an element plays it, be it muted.
          at("voice").srcObject = stream;
          if (context) {
            this.gate = new Gate(context, context.createMediaStreamSource(stream));
            ear.listen(context, this.gate.node);
          } else this.gate = new Shutter(at("voice"));
        },
        up: () => this.line.do("media_up"),
        failed: (why) => this.line.do("media_failed", { why }),
      });
      return { offer: await this.connection.offer(), why: "" };
    } catch (error) {
      return { offer: null, why: String(error.message) };
    }
  }

  told(message) {
    switch (message.told) {
      case "answer":
        this.connection.answered(message.sdp).catch((error) =>
          this.line.do("media_failed", { why: String(error.message) }));
        break;
      case "carry_sound":
        this.carry(message.why);
        break;
      case "standing":
        stands(message);
        break;
      case "gate":
        this.gate?.let(message.open);
        break;
      case "floor":
        floor(message.holder);
        break;
      case "button":
        at("press").setAttribute("aria-pressed", String(message.down));
        this.openMicrophone(message.down);
        break;
      case "words":
        transcript.words(message);
        break;
      case "interrupted":
        interrupted(message);
        break;
      case "event":
        logged(message);
        break;
      case "trouble":
        notice(message.words);
        break;
      case "link":
        invitation(message);
        break;
      case "stop_playback":
        this.carried?.stop(message.cut_id);
        break;
      case "hold_playback":
        this.carried?.hold(message.cut_id);
        break;
      case "resume_playback":
        this.carried?.resume();
        break;
    }
  }

  /** WebRTC did not connect: the sound goes by the line from here on. */
  async carry(why) {
    notice(`The sound goes by WebSocket: ${why}`);
    this.connection?.close();
    this.connection = null;
    const context = await this.newContext(WIRE_RATE);
    if (!context) {
      notice("This browser plays such sound on secure pages only: open it by https.");
      this.line.do("media_failed", { why: "the page is not secure" });
      return;
    }
    this.carried = new Carried(context, {
      told: ({ rendered, stopped, held, heard }) => {
        if (rendered) this.line.do("rendered", { heard: rendered });
        else if (stopped !== undefined) this.line.do("stopped", { cut_id: stopped, heard });
        else this.line.do("held", { cut_id: held, heard });
      },
    });
    ear.listen(context, this.carried.node);
    if (this.microphone) pieces(context, this.microphone, (pcm) => this.line.sound(pcm));
    this.line.do("media_up");
  }

  openMicrophone(open) {
    for (const track of this.microphone?.getAudioTracks() ?? []) track.enabled = open;
    at("microphone").textContent = !this.microphone ? "none" : open ? "open" : "closed";
    at("microphone").dataset.open = this.microphone && open ? "yes" : "no";
  }

  ended(code, reason) {
    if (code === 3000) askForKey(reason);
    this.connection?.close();
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    for (const context of this.contexts) context.close();
    at("voice").srcObject = null;
    at("voice").muted = true;
    this.openMicrophone(false);
    this.microphone = null;
    stands({ state: "over" });
    call = null;
  }
}

/** The microphone, or null with a word why: the user can still listen and type. */
async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) return null; // said when the page was opened
  try {
    const asked = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    return await navigator.mediaDevices.getUserMedia({ audio: asked });
  } catch (error) {
    notice(`There is no microphone (${error.name}). You can listen and type.`);
    return null;
  }
}

function stands({ state, turns, media, words }) {
  if (words) standing(words);
  const up = state === "up";
  if (up) at("media").textContent = media === "webrtc" ? "WebRTC" : "WebSocket";
  document.body.dataset.state = state;
  at("talk").disabled = state === "connecting" || up;
  at("turns").disabled = state === "connecting" || up;
  at("hang-up").disabled = !(state === "connecting" || up);
  at("stop").disabled = at("invite").disabled = at("say-it").disabled = !up;
  at("press").disabled = !(up && turns === "push_to_talk");
  if (!up) floor("nobody");
}

function interrupted(record) {
  const cut = cuts.get(record.cut_id) ?? newCut(record.cut_id);
  cut.show(record);
}

function newCut(cutId) {
  const item = document.createElement("li");
  item.dataset.cut = cutId;
  at("records").prepend(item);
  const cut = {
    from: ear.now,
    record: null,
    silentAfter: null,
    show(record) {
      this.record = record;
      const rows = recordRows(record);
      const after = this.silentAfter;
      rows.push(["Here, after the word of it", after === null ? "listening" :
        `silent after ${after} frames of 20 ms`]);
      const table = document.createElement("table");
      for (const [name, value] of rows) {
        const row = table.insertRow();
        const head = document.createElement("th");
        head.scope = "row";
        head.textContent = name;
        row.append(head);
        row.insertCell().textContent = value;
      }
      item.dataset.settled = record.settled ? "yes" : "no";
      item.dataset.heardMs = record.heard_ms;
      item.dataset.keptMs = record.kept_ms ?? "";
      if (after !== null) item.dataset.silentAfter = after;
      item.replaceChildren(table);
    },
    measure() {
      if (this.silentAfter !== null) return;
      this.silentAfter = framesUntilSilent(ear.since(this.from), 0);
      if (this.silentAfter !== null) this.show(this.record);
    },
  };
  cuts.set(cutId, cut);
  return cut;
}

function logged(entry) {
  log.add(entry);
  if (wanted(entry, filter())) {
    fitting += 1;
    showEntry(entry);
  }
  countLog();
}

function filter() {
  return {
    text: at("filter").value,
    sent: at("show-sent").checked,
    received: at("show-received").checked,
  };
}

function showEntry(entry) {
  const item = document.createElement("li");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const arrow = entry.direction === "sent" ? "→" : "←";
  summary.textContent = `${clock(entry.at_ms)} ${arrow} ${entry.type}`;
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    const whole = document.createElement("pre");
    whole.textContent = JSON.stringify(entry.event, null, 2);
    details.append(whole);
  });
  item.append(details);
  at("log").append(item);
  while (at("log").children.length > SHOWN_EVENTS) at("log").firstElementChild.remove();
}

function countLog() {
  const dropped = log.dropped ? `; the oldest ${log.dropped} were dropped` : "";
  at("log-count").textContent = `${fitting} of ${log.entries.length + log.dropped} events${dropped}.`;
}

function filterLog() {
  const fits = log.entries.filter((entry) => wanted(entry, filter()));
  fitting = fits.length;
  at("log").replaceChildren();
  fits.slice(-SHOWN_EVENTS).forEach(showEntry);
  countLog();
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([log.lines()], { type: "application/jsonl" }));
  link.download = "bargein-events.jsonl";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function invitation({ url, words }) {
  const link = document.createElement("a");
  link.href = link.textContent = url;
  at("invitation").replaceChildren(link, ` ${words}`);
}

function askForKey(why) {
  if (why) notice(why);
  at("key-form").hidden = false;
  at("controls").hidden = true;
}

function sayWhatIsInsecure() {
  if (window.isSecureContext) return;
  notice(
    "This page came over plain HTTP from another machine, and browsers then give it no microphone. " +
      "You can listen and type. To talk, start the server with --tls and open its https:// link, " +
      "or open this page on the machine itself.",
  );
}

/** What is shown is of one call. */
function forget() {
  transcript.clear();
  cuts.clear();
  at("records").replaceChildren();
  log.entries = [];
  log.dropped = 0;
  filterLog();
}

at("talk").addEventListener("click", async () => {
  if (call) return;
  call = new Call();
  forget();
  stands({ state: "connecting", turns: call.turns, words: "Connecting." });
  try {
    await call.begin();
  } catch (error) {
    notice(`The call could not begin: ${error.message}`);
    call?.ended(1000, "");
  }
});
at("hang-up").addEventListener("click", () => call?.line?.do("hang_up"));
at("stop").addEventListener("click", () => call?.line.do("stop"));
at("invite").addEventListener("click", () => call?.line.do("invite"));
at("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("say").value.trim();
  if (!text || at("say-it").disabled) return;
  call?.line.do("say", { text });
  at("say").value = "";
});
at("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await tokenForKey(at("key").value);
    at("key").value = "";
    at("key-form").hidden = true;
    at("controls").hidden = false;
    at("talk").focus();
  } catch (error) {
    notice(error.message);
  }
});
for (const id of ["filter", "show-sent", "show-received"])
  at(id).addEventListener("input", filterLog);
at("log-form").addEventListener("submit", (event) => event.preventDefault());
at("download").addEventListener("click", download);
holdable(at("press"), {
  down: () => call?.line.do("press"),
  up: () => call?.line.do("release"),
});
escape(at("stop"));
sayWhatIsInsecure();
if (!takeToken()) askForKey("");
