// A second device in a call: its buttons and its words. The sound stays where it is.

import { Line, takeToken } from "./line.js";
import { escape, holdable } from "./press.js";
import { Transcript, at, floor, notice, standing } from "./show.js";

const transcript = new Transcript(at("transcript"));
let line = null;

function told(message) {
  switch (message.told) {
    case "standing":
      stands(message);
      break;
    case "floor":
      floor(message.holder);
      break;
    case "button":
      at("press").setAttribute("aria-pressed", String(message.down));
      break;
    case "words":
      transcript.words(message);
      break;
    case "trouble":
      notice(message.words);
      break;
  }
}

function stands({ state, turns, words }) {
  standing(words);
  at("stop").disabled = state !== "up";
  if (turns) at("press").hidden = turns !== "push_to_talk";
  at("press").disabled = !(state === "up" && turns === "push_to_talk");
  document.body.dataset.state = state;
}

holdable(at("press"), {
  down: () => line?.do("press"),
  up: () => line?.do("release"),
});
at("stop").addEventListener("click", () => line?.do("stop"));
escape(at("stop"));

if (takeToken()) {
  line = new Line({
    told,
    sound: () => {},
    ended: (code, reason) => stands({ state: "over", words: reason || "The call is over." }),
  });
} else {
  stands({ state: "over", words: "Open the link that the other device made." });
}
