// The list of drives: one of them can be looked at alone, and deleted.

import { html } from "./shared.js";
import { makeButton } from "./panels.js";
import { DRIVE_ENDINGS } from "./recorder_drives.js";

const DRIVES_SHOWN = 5;

export function makeDriveList(drives, plan, redraw) {
  const select = html("select", { size: DRIVES_SHOWN, "data-lm-suppress-shortcuts": "true" });
  let shown = "";
  const chosen = () => select.value || null;
  const remove = () => {
    const index = select.selectedIndex;
    if (index < 0) return;
    drives.remove(select.value);
    draw(drives.all());
    select.selectedIndex = Math.min(index, select.options.length - 1);
    redraw();
  };
  const button = makeButton("Delete chosen", remove);
  const draw = (all) => {
    const wanted = all.map(({ id }) => id).join(" ");
    if (wanted !== shown) {
      const kept = select.value;
      select.replaceChildren(...all.map((drive, index) => optionOf(drive, index, plan)));
      select.value = kept;
      shown = wanted;
      if (!kept) select.scrollTop = select.scrollHeight; // the newest is in view
    }
    button.disabled = chosen() === null;
  };
  select.addEventListener("change", redraw);
  select.addEventListener("keydown", (event) => {
    if (event.key !== "Delete" && event.key !== "Backspace") return;
    event.preventDefault();
    event.stopPropagation();
    remove();
  });
  const label = html("label", { class: "drives" }, "Drives; the chosen one is drawn thick", select);
  return { node: html("div", { class: "list" }, label, button), chosen, draw };
}

function optionOf({ id, ending, steps, driver }, index, plan) {
  const { text, mark } = DRIVE_ENDINGS[ending];
  const seconds = (steps * plan.time_step).toFixed(1);
  return html("option", { value: id }, `${index + 1} ${mark} ${text}, ${seconds} s, ${driver}`);
}
