// What both pages show of what they are told. Text goes in as text, never as markup.

const FLOORS = {
  user: "you have the floor",
  assistant: "the assistant speaks",
  nobody: "nobody speaks",
};
const MOST_NOTICES = 5;

export const at = (id) => document.getElementById(id);

export function standing(words) {
  at("standing").textContent = words;
}

export function notice(words) {
  const box = at("notices");
  if (box.lastElementChild?.dataset.words === words) return; // said already
  const line = document.createElement("p");
  line.textContent = line.dataset.words = words;
  box.append(line);
  while (box.children.length > MOST_NOTICES) box.firstElementChild.remove();
}

export function floor(holder) {
  at("floor").textContent = FLOORS[holder];
  at("floor").dataset.holder = holder;
}

export class Transcript {
  constructor(list) {
    this.list = list;
    this.rows = new Map();
  }

  clear() {
    this.rows.clear();
    this.list.replaceChildren();
  }

  words({ row, role, text, final, cut }) {
    const line = this.rows.get(row) ?? this.begin(row, role);
    const said = line.querySelector(".said");
    if (final) said.textContent = text || (cut ? "(nothing of it was heard)" : "(nothing)");
    else if (line.dataset.final !== "yes") said.textContent += text;
    if (final) line.dataset.final = "yes";
    if (cut && !line.querySelector(".cut")) {
      const mark = document.createElement("span");
      mark.className = "cut";
      mark.textContent = "cut here";
      line.append(mark);
      line.dataset.cut = "yes";
    }
    this.list.parentElement.scrollTop = this.list.scrollHeight;
  }

  begin(row, role) {
    const line = document.createElement("li");
    line.dataset.role = role;
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = role === "user" ? "You" : "Assistant";
    const said = document.createElement("span");
    said.className = "said";
    said.dataset.empty = "(spoken)";
    line.append(who, said);
    this.list.append(line);
    this.rows.set(row, line);
    return line;
  }
}
