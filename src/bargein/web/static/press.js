// A button that is held down: by pointer or touch on it, by Space or Enter while it has the focus,
// and by Space wherever nothing else wants the key. It ends when it is let go of, however that comes.

const TAKES_KEYS = "input, textarea, select, button, a, summary, [contenteditable]";

export function holdable(button, { down, up }) {
  let held = null;
  const press = (by) => {
    if (held !== null || button.disabled) return;
    held = by;
    down();
  };
  const release = (by) => {
    if (held === null || (by !== undefined && held !== by)) return;
    held = null;
    up();
  };
  const isKey = (event) =>
    (event.code === "Space" || event.code === "Enter") && event.target === button ||
    event.code === "Space" && !event.target.closest?.(TAKES_KEYS);
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    button.setPointerCapture(event.pointerId);
    press("pointer");
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"])
    button.addEventListener(name, () => release("pointer"));
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("blur", () => release("key"));
  document.addEventListener("keydown", (event) => {
    if (!isKey(event) || button.disabled) return;
    event.preventDefault();
    if (!event.repeat) press("key");
  });
  document.addEventListener("keyup", (event) => {
    if (held !== "key" || !["Space", "Enter"].includes(event.code)) return;
    event.preventDefault();
    release("key");
  });
  window.addEventListener("blur", () => release());
  document.addEventListener("visibilitychange", () => document.hidden && release());
}

/** Escape stops what is being said, wherever the focus is. */
export function escape(button) {
  document.addEventListener("keydown", (event) => {
    if (event.code === "Escape" && !event.repeat && !button.disabled) button.click();
  });
}
