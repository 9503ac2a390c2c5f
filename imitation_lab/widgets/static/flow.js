// Follow the flow: thousands of particles from noise to data, the field that moves them, and what it averages.
// The kernel sends the particles' ways once; everything is drawn here, and it hears of a change on release.

import { html, setAttributes } from "./shared.js";
import {
  makeButton,
  makeCheckbox,
  makeChoice,
  makeRange,
  settingOf,
  showPanels,
} from "./panels.js";
import { onThemeChange } from "./theme.js";
import { OWN_POINTS, STEP_COUNTS } from "./flow_data.js";
import { makeSceneKeeper } from "./flow_scene.js";
import { flowSentence, summariseFlow } from "./flow_numbers.js";
import { makeFlowPlane } from "./flow_plane.js";
import { makeOwnPoints } from "./flow_own.js";
import { makePosteriorPanel } from "./flow_posterior.js";
import { makeFlowClock, makeFlowTransport } from "./flow_time.js";

const FLOW_TRAITS = [
  "scene",
  "state",
  "time",
  "steps",
  "field",
  "arrows",
  "playing",
  "points",
  "particle",
];
const FIELD_NAMES = { learned: "learned", exact: "exact", difference: "difference" };
const TOOL_NAMES = { draw: "draws points", choose: "chooses a particle" };
const CHOOSE_HINT =
  "Click a particle to see where the field sends it, and why. Drag sideways to move time.";
const DRAW_HINT = "Press and draw your data, then play: nothing has to be trained.";

function renderFlow({ model, el }) {
  const keeper = makeSceneKeeper(model);
  return showPanels({
    model,
    el,
    traits: FLOW_TRAITS,
    name: "flow",
    label: "Follow the flow",
    summarise: (settings) => summariseFlow(settings, keeper.sceneOf(settings)),
    sentence: (_, numbers) => flowSentence(numbers),
    silent: ({ playing }) => playing,
    build: (settings, redraw, commit) => buildFlow(settings, keeper, redraw, commit),
  });
}

function buildFlow(settings, keeper, redraw, commit) {
  const view = { tool: "draw", cursor: [0, 0], before: [], news: "" };
  const clock = makeFlowClock(settings, redraw, commit);
  const points = makeOwnPoints(settings, view, redraw);
  const hands = makeHands(settings, view, keeper, clock, points, redraw);
  const plane = makeFlowPlane(settings, view, hands, commit);
  const transport = makeFlowTransport(settings, clock, commit);
  const choices = makeFlowChoices(settings, view, keeper, points, redraw, commit);
  const one = makeParticlePanel(settings, hands, redraw, commit);
  const hint = html("span");
  const panels = [planePanel(plane, hint, transport), choices.panel, one.panel];
  const draw = ({ scene }) => {
    clock.follow();
    transport.draw();
    choices.draw(scene);
    one.draw(scene);
    hint.textContent = hands.draws() ? DRAW_HINT : CHOOSE_HINT;
    if (keeper.advance(scene)) redraw();
  };
  const forget = onThemeChange(redraw);
  const stop = () => {
    clock.stop();
    forget();
  };
  return { panels, draw, stop };
}

/** What hands can do on the plane. */
function makeHands(settings, view, keeper, clock, points, redraw) {
  const choose = (particle) => {
    settings.particle = particle;
    redraw();
  };
  const chooseNext = (by) => {
    const { particles } = keeper.sceneOf(settings);
    const last = settings.particle ?? (by > 0 ? -1 : 0);
    choose((last + by + particles) % particles);
  };
  const draws = () => settings.scene === OWN_POINTS && view.tool === "draw";
  return { clock, points, choose, chooseNext, draws };
}

function planePanel(plane, hint, transport) {
  return {
    title: "From noise to data",
    hint,
    legend: {
      "particle-sample": "particles",
      "point-sample": "data points",
      "arrow-sample": "the field: a cell long for a speed of 3 or more, faint where few pass",
    },
    controls: [...transport.nodes, plane.spoken],
    node: plane.node,
    draw: plane.draw,
  };
}

function makeFlowChoices(settings, view, keeper, points, redraw, commit) {
  const parts = [
    makeSceneChoice(settings, keeper, redraw, commit),
    makeStateRange(settings, keeper, redraw, commit),
    makeOwnControls(settings, view, points, redraw, commit),
    makeStepsRange(settings, redraw, commit),
    makeFieldChoice(settings, keeper, redraw, commit),
  ];
  const node = html("div", { class: "controls" }, ...parts.flatMap(({ nodes }) => nodes));
  const draw = (scene) => {
    for (const part of parts) part.draw(scene);
  };
  return { panel: { title: "What flows, and how", node, draw() {} }, draw };
}

function makeSceneChoice(settings, { names }, redraw, commit) {
  const choice = makeChoice({
    label: "Data",
    options: Object.fromEntries(names.map((name) => [name, name])),
    ...settingOf(settings, "scene", redraw, commit),
  });
  return { nodes: [choice.node], draw: choice.draw };
}

function makeStateRange(settings, keeper, redraw, commit) {
  const range = makeRange(
    {
      label: "State",
      limits: { min: 0, max: 0, step: 1 },
      format: () => keeper.sceneOf(settings).label,
      ...settingOf(settings, "state", redraw),
    },
    commit,
  );
  const draw = ({ states }) => {
    range.node.style.display = states.length > 1 ? "" : "none";
    range.node.querySelector("input").max = Math.max(0, states.length - 1);
    range.draw();
  };
  return { nodes: [range.node], draw };
}

function makeOwnControls(settings, view, points, redraw, commit) {
  const tool = makeChoice({
    label: "A press",
    options: TOOL_NAMES,
    get: () => view.tool,
    set(value) {
      view.tool = value;
      redraw();
    },
  });
  const act = (what) => () => {
    what();
    commit();
  };
  const undo = makeButton("Undo", act(points.undo));
  const clear = makeButton("Clear", act(points.clear));
  const node = html("div", { class: "own" }, tool.node, undo, clear);
  const draw = ({ states }) => {
    node.style.display = states.length ? "none" : "";
    undo.disabled = !view.before.length;
    clear.disabled = !settings.points.length;
    tool.draw();
  };
  return { nodes: [node], draw };
}

function makeStepsRange(settings, redraw, commit) {
  const range = makeRange(
    {
      label: "Euler steps",
      limits: { min: 0, max: STEP_COUNTS.length - 1, step: 1 },
      format: () => (settings.steps === 1 ? "1 step" : `${settings.steps} steps`),
      get: () => STEP_COUNTS.indexOf(settings.steps),
      set(index) {
        settings.steps = STEP_COUNTS[index];
        redraw();
      },
    },
    commit,
  );
  return { nodes: [range.node], draw: range.draw };
}

/** The field whose arrows are shown is the one that the particles follow. */
function makeFieldChoice(settings, keeper, redraw, commit) {
  const shown = () => (keeper.sceneOf(settings).learned ? settings.field : "exact");
  const choice = makeChoice({
    label: "Field",
    options: FIELD_NAMES,
    ...settingOf(settings, "field", redraw, commit),
    get: shown,
    enabled: (name) => name === "exact" || keeper.sceneOf(settings).learned,
  });
  const arrows = makeCheckbox("show its arrows", settingOf(settings, "arrows", redraw, commit));
  const note = html("p", { class: "note" });
  const draw = (scene) => {
    choice.draw();
    arrows.draw();
    const text = fieldNote(shown(), scene);
    if (note.textContent !== text) note.textContent = text;
  };
  return { nodes: [choice.node, arrows.node, note], draw };
}

function fieldNote(shown, { learned, exaggeration }) {
  const reading =
    "A particle reads the field when a step begins, and goes straight until the next.";
  if (shown === "difference")
    return (
      `Learned minus exact, drawn ${exaggeration} times as long as a field. ` +
      "The particles follow the learned one."
    );
  if (!learned) return `Nothing is learned here: the exact field needs the data alone. ${reading}`;
  return `The particles follow the ${shown} field. ${reading}`;
}

function makeParticlePanel(settings, hands, redraw, commit) {
  const panel = makePosteriorPanel();
  const another = makeButton("Another particle", () => {
    hands.chooseNext(1);
    commit();
  });
  const release = makeButton("Let it go", () => {
    hands.choose(null);
    commit();
  });
  const draw = ({ data }) => {
    release.disabled = settings.particle === null;
    another.disabled = !data.length;
    setAttributes(another, { title: "also up and down arrow on the plane" });
  };
  const panelParts = {
    title: "What one particle is told",
    hint: "The exact field averages the data points that it may still reach, and points at their mean.",
    legend: { "weight-sample": "weight of a data point", "aim-sample": "towards their mean" },
    controls: [another, release],
    ...panel,
  };
  return { panel: panelParts, draw };
}

export default { render: renderFlow };
