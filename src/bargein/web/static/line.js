// The page's line to the machine behind it: JSON both ways, and sound as bytes.
// A token opens one line, once; the next one comes by the line itself.

const STORE = "bargein.token";

/** The token of the link, which is taken out of the address, or the one that came last. */
export function takeToken() {
  const linked = location.hash.slice(1);
  if (linked) {
    history.replaceState(null, "", location.pathname);
    sessionStorage.setItem(place(), linked);
  }
  return sessionStorage.getItem(place());
}

export function keepToken(token) {
  sessionStorage.setItem(place(), token);
}

/** A token for the server's key. Throws an Error with words for people. */
export async function tokenForKey(key) {
  const answer = await fetch("/page/token", {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  keepToken(body.token);
}

function place() {
  return `${STORE}${location.pathname}`;
}

export class Line {
  /** `told(message)` and `sound(part, pcm)` get what comes; `ended(code, reason)` its end. */
  constructor({ told, sound, ended }) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const token = sessionStorage.getItem(place());
    sessionStorage.removeItem(place());
    this.socket = new WebSocket(`${scheme}://${location.host}/page/line`, [
      "bargein.page",
      `bargein.token.${token}`,
    ]);
    this.socket.binaryType = "arraybuffer";
    this.opened = new Promise((resolve) => this.socket.addEventListener("open", resolve));
    this.socket.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") {
        sound(new DataView(data).getUint32(0, true), new Int16Array(data.slice(4)));
        return;
      }
      const message = JSON.parse(data);
      if (message.told === "token") keepToken(message.token);
      else told(message);
    });
    this.socket.addEventListener("close", ({ code, reason }) => ended(code, reason));
  }

  do(what, fields = {}) {
    if (this.socket.readyState === WebSocket.OPEN)
      this.socket.send(JSON.stringify({ do: what, ...fields }));
  }

  sound(pcm) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(pcm);
  }

  close() {
    this.socket.close();
  }
}
