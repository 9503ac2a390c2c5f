// Colours for what is drawn pixel by pixel: a canvas knows nothing of the page's variables.

import { html } from "./shared.js";

/**
 * Return a node to put inside the widget, and `read()`: the names' colours as the page shows them now, the
 * same object as long as they stay the same. A name is a variable of the style sheet.
 */
export function makePalette(names) {
  const probes = names.map((name) => html("i", { style: `color: var(--${name})` }));
  const node = html("span", { hidden: "", "aria-hidden": "true" }, ...probes);
  let [palette, seen] = [null, ""];
  const read = () => {
    const now = getComputedStyle(probes[0]).color;
    if (now !== seen) {
      seen = now;
      const colours = probes.map((probe) => getComputedStyle(probe).color);
      palette = Object.fromEntries(names.map((name, i) => [name, colours[i]]));
    }
    return palette;
  };
  return { node, read };
}

/** Return a colour's bytes of red, green and blue. */
export function bytesOfColour(colour) {
  const context = html("canvas", { width: 1, height: 1 }).getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

/** Call a function when the page may have changed its theme; return what ends that. */
export function onThemeChange(changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  const page = new MutationObserver(changed);
  for (const element of [document.documentElement, document.body])
    page.observe(element, { attributes: true });
  return () => {
    system.removeEventListener("change", changed);
    page.disconnect();
  };
}
