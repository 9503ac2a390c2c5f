// Contrast ratios (WCAG 2) of every text with what it stands on, and of every line and handle with its panel.
// `chosen` names the lines by `stroke` and `fill`; without it they are those of drag-the-modes, with its road.
(chosen) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const rgb = (colour, over = "#000") => {
    context.fillStyle = over;
    context.fillRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (colour) => {
    const [r, g, b] = rgb(colour).map((byte) => {
      const value = byte / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const isClear = (colour) => colour === "transparent" || colour === "rgba(0, 0, 0, 0)";
  const ground = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return isClear(colour) ? ground(element.parentElement) : colour;
  };
  const hasText = (element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const texts = [...document.querySelectorAll(".imitation-widget *")].filter(hasText);
  const inkOf = (element) => {
    const style = getComputedStyle(element);
    return element instanceof SVGElement ? style.fill : style.color;
  };
  const shapes = chosen ?? {
    stroke: [
      ".data-line",
      ".fit-line",
      ".loss-line",
      ".panel > svg .optimum-line",
      ".floor-line",
      ".ball .knob",
      ".excess",
      ".guess-mark",
    ],
    fill: [".mode-handle .knob", ".minimum"],
  };
  const road = document.querySelector(".modes .asphalt");
  const onRoad = (road ? [".drives", ".guess-path", ".optimum-path"] : []).map((name) => [
    name,
    ratio(getComputedStyle(document.querySelector(name)).stroke, getComputedStyle(road).fill),
  ]);
  const onPanel = Object.entries(shapes).flatMap(([property, names]) =>
    names.map((name) => {
      const element = document.querySelector(name);
      return [name, ratio(getComputedStyle(element)[property], ground(element.closest(".panel")))];
    }),
  );
  return {
    text: texts.map((element) => [element.textContent, ratio(inkOf(element), ground(element))]),
    shapes: [...onPanel, ...onRoad],
  };
};
