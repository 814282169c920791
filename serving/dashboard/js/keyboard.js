// The keys. They are for a page without a text being written and without a dialog that is open.

const MODIFIERS = ["ctrlKey", "metaKey", "altKey"];
const TEXT = "input:not([type=radio]), textarea, select";
const SCROLLING = /^(Arrow(Up|Down)|Page(Up|Down)|Home|End)$/;
const PRESSED = "button, a, summary, input";

// `actions`: what each key does, by the name that the browser gives it.
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (MODIFIERS.some((each) => event[each]) || document.querySelector("dialog[open]")) return;
    if (target.matches(TEXT) && !leavesText(event)) return;
    // What has the focus is pressed by these itself, and the choice of a group is moved by the arrows.
    if (["Enter", " "].includes(key) && target.matches(PRESSED) && !target.matches("#search")) return;
    // There they move what is read, not the list.
    if (SCROLLING.test(key) && target.closest("#side")) return;
    if (key.startsWith("Arrow") && target.matches("input[type=radio]")) return;
    const action = actions[key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

// From the search one goes to what was found.
const leavesText = ({ key, target }) => target.id === "search" && ["ArrowDown", "ArrowUp", "Enter", "Escape"].includes(key);
