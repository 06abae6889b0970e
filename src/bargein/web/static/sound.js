// The page's ear and mouth: the two ways of the sound, and the measure of what arrives.

const EAR_FRAMES = 3000;
const FRAMES_PER_S = 50;

/** What was let through to the ear, in frames of 20 ms: `loud` says of each whether it had sound in
 *  it. A frame has its number on the context's clock, however late the word of it comes. */
export class Ear {
  constructor(shown) {
    this.shown = shown;
    this.begin();
  }

  begin() {
    this.loud = [];
    this.first = 0;
    this.context = null;
  }

  /** The number of the frame that is being heard now. */
  get now() {
    return this.context ? Math.ceil(this.context.currentTime * FRAMES_PER_S) : 0;
  }

  /** From frame `number` on. */
  since(number) {
    return this.loud.slice(Math.max(0, number - this.first));
  }

  listen(context, node) {
    this.begin();
    this.context = context;
    const meter = new AudioWorkletNode(context, "meter", { numberOfOutputs: 0 });
    meter.port.onmessage = ({ data: { number, peak, loud } }) => {
      if (this.context !== context) return;
      if (!this.loud.length) this.first = number;
      this.loud.push(loud);
      if (this.loud.length > EAR_FRAMES) {
        this.loud.shift();
        this.first += 1;
      }
      this.shown(peak, loud);
    };
    node.connect(meter);
  }
}

/** What lies between the sound that arrives and the ear: shut within 4 ms. */
export class Gate {
  constructor(context, node) {
    this.context = context;
    this.node = new GainNode(context);
    node.connect(this.node).connect(context.destination);
  }

  let(open) {
    this.node.gain.setTargetAtTime(open ? 1 : 0, this.context.currentTime, 0.001);
  }
}

/** The same where there are no processors: browsers have them for secure pages only. */
export class Shutter {
  constructor(element) {
    this.element = element;
    this.let(true);
  }

  let(open) {
    this.element.muted = !open;
  }
}

/** A context at this rate with our processors in it; null where the browser has none. */
export async function newContext(rate) {
  if (!window.isSecureContext || !window.AudioWorkletNode) return null;
  const context = new AudioContext(rate ? { sampleRate: rate } : {});
  await context.audioWorklet.addModule("/page/sound-worklet.js");
  await context.resume();
  return context;
}

/** Sound by WebRTC: one track each way, and the channel that the server waits for. */
export class Connection {
  constructor({ microphone, heard, up, failed }) {
    this.peer = new RTCPeerConnection();
    this.peer.createDataChannel("oai-events").addEventListener("open", up);
    if (microphone) this.peer.addTrack(microphone.getAudioTracks()[0], microphone);
    else this.peer.addTransceiver("audio", { direction: "recvonly" });
    this.peer.addEventListener("track", ({ track, streams }) =>
      heard(streams[0] ?? new MediaStream([track])));
    this.peer.addEventListener("connectionstatechange", () => {
      if (this.peer.connectionState === "failed") failed("ICE found no way to the server");
    });
  }

  async offer() {
    await this.peer.setLocalDescription(await this.peer.createOffer());
    return this.peer.localDescription.sdp;
  }

  async answered(sdp) {
    await this.peer.setRemoteDescription({ type: "answer", sdp });
  }

  close() {
    this.peer.close();
  }
}

/** Sound by the line: parts are played and counted, the microphone is sent in pieces. */
export class Carried {
  constructor(context, { told }) {
    this.node = new AudioWorkletNode(context, "part-player", { numberOfInputs: 0 });
    this.node.port.onmessage = ({ data }) => told(data);
    this.node.connect(context.destination);
  }

  play(part, pcm) {
    this.node.port.postMessage({ play: part, pcm });
  }

  stop(cutId) {
    this.node.port.postMessage({ stop: cutId });
  }

  hold(cutId) {
    this.node.port.postMessage({ hold: cutId });
  }

  resume() {
    this.node.port.postMessage({ resume: true });
  }
}

/** Pieces of what the microphone hears, as 16-bit PCM at the context's rate. */
export function pieces(context, microphone, heard) {
  const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
  node.port.onmessage = ({ data }) => heard(data);
  context.createMediaStreamSource(microphone).connect(node);
}
