// Choose the bins: a categorical policy over one action, and what its bins, its demonstrations and its
// temperature cost. Everything is computed here; the kernel hears of a change on release.

import { percent, plain, roundTo, signed } from "./shared.js";
import { makeButton, makeRange, makeResetButton, showPanels } from "./panels.js";
import { BIN_COUNTS, summarizeBins } from "./bins_numbers.js";
import { makePolicyPanel } from "./bins_policy.js";
import { makeCostPanel } from "./bins_costs.js";

const BINS_TRAITS = [
  "num_bins",
  "num_actions",
  "temperature",
  "seed",
  "left_mode",
  "right_mode",
  "left_weight",
  "spread",
  "obstacle",
];
const ACTION_COUNTS = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
const SEEDS = 2 ** 31;

function renderBins({ model, el }) {
  return showPanels({
    model,
    el,
    traits: BINS_TRAITS,
    name: "bins",
    label: "Choose the bins",
    summarise: summarizeBins,
    sentence: binsSentence,
    build: buildBins,
  });
}

function buildBins(settings, redraw, commit) {
  const ranges = makeBinsRanges(settings, redraw, commit);
  const drawAgain = makeButton(
    "Draw other demonstrations",
    () => {
      settings.seed = (settings.seed + 1) % SEEDS;
      redraw();
      commit();
    },
    { class: "main" },
  );
  const left = {
    title: "What the policy does",
    hint:
      "A bin\u2019s probability is its count of demonstrations plus \u00bd, shared out, " +
      "then tempered.",
    legend: {
      "truth-line": "the drivers",
      "rug-line": "demonstrations",
      "bars-line": "the policy, in bins",
      centres: "its samples: the centres",
      "hits-line": "bins whose centre hits",
      obstacle: "hits the obstacle",
    },
    controls: [...ranges.map((range) => range.node), drawAgain],
    ...makePolicyPanel(),
  };
  const right = {
    title: "What a number of bins costs",
    hint: "Drag the ball: few bins are coarse, many bins starve.",
    legend: {
      "nats-line": "this policy",
      "endless-line": "with endless demonstrations",
      "floor-line": "no policy gets below",
    },
    controls: [makeResetButton(settings, redraw, commit)],
    ...makeCostPanel(settings, redraw, commit),
  };
  const draw = () => ranges.forEach((range) => range.draw());
  return { panels: [left, right], draw };
}

function makeBinsRanges(settings, redraw, commit) {
  const change = (name, value) => {
    settings[name] = value;
    redraw();
  };
  const bins = {
    label: "Number of bins",
    limits: { min: BIN_COUNTS[0], max: BIN_COUNTS[1], step: 1 },
    format: (count) => `${count} bins`,
    get: () => settings.num_bins,
    set: (count) => change("num_bins", count),
  };
  const actions = {
    label: "Demonstrated actions",
    limits: { min: 0, max: ACTION_COUNTS.length - 1, step: 1 },
    format: () => withCommas(settings.num_actions),
    get: () => stepOf(settings.num_actions),
    set: (step) => change("num_actions", ACTION_COUNTS[step]),
  };
  const temperature = {
    label: "Temperature",
    limits: { min: 0, max: 3, step: 0.05 },
    format: (value) => (value === 0 ? "0 (argmax)" : value.toFixed(2)),
    get: () => settings.temperature,
    set: (value) => change("temperature", roundTo(value, 0.05)),
  };
  return [bins, actions, temperature].map((range) => makeRange(range, commit));
}

/** The largest step that does not exceed a count: Python may set any number in between. */
const stepOf = (count) => ACTION_COUNTS.findLastIndex((step) => step <= count);

const withCommas = (count) => count.toLocaleString("en-US");

/** The numbers in words, just as `BinsSummary.sentence` writes them. */
function binsSentence({ num_actions }, numbers) {
  const { nats, nats_at_one, nats_endless, entropy } = numbers;
  return (
    `The policy costs ${natsInWords(nats, plain)} nats per action; the drivers\u2019 entropy ` +
    `${plain(entropy)} is the floor. The way up from there: ` +
    `${signed(nats_endless - entropy)} for the width of the bins, ` +
    `${signed(nats_at_one - nats_endless)} for having ${withCommas(num_actions)} ` +
    `demonstrations only, ${natsInWords(nats - nats_at_one, signed)} for the ` +
    `temperature. ${percent(numbers.policy_in_obstacle)} of its samples hit the obstacle, of the ` +
    `drivers\u2019 actions ${percent(numbers.truth_in_obstacle)}. Rounding to the centre of a bin ` +
    `moves an action by ${numbers.rounding.toFixed(3)} m/s (root mean square).`
  );
}

const natsInWords = (nats, written) => (Number.isFinite(nats) ? written(nats) : "infinitely many");

export default { render: renderBins };
