// Two policies that count. `imitation_lab/widgets/order_numbers.py` and `order_sampling.py` hold the
// same arithmetic, operation by operation, and a test holds the two equal.

export const ORDER_LIMIT = 1.5;
export const ORDER_SAMPLES = 80;
export const OBSTACLES = [
  { steer: [-ORDER_LIMIT, -0.2], speed: [0.2, ORDER_LIMIT], name: "into a wall" },
  { steer: [0.2, ORDER_LIMIT], speed: [-ORDER_LIMIT, -0.2], name: "hit from behind" },
];

const total = (counts) => counts.reduce((sum, count) => sum + count, 0);
const zeros = (length) => Array.from({ length }, () => 0);
const between = (value, [low, high]) => low <= value && value <= high;

function binOf(value, bins) {
  const index = Math.floor(((value + ORDER_LIMIT) * bins) / (2 * ORDER_LIMIT));
  return Math.min(bins - 1, index);
}

/** Count the actions in each cell (`cells[steer][speed]`) and in each bin of either number. */
function countCells(actions, bins) {
  const cells = Array.from({ length: bins }, () => zeros(bins));
  for (const [steer, speed] of actions) cells[binOf(steer, bins)][binOf(speed, bins)] += 1;
  const speed = zeros(bins).map((_, j) => total(cells.map((column) => column[j])));
  return { bins, cells, steer: cells.map(total), speed, total: actions.length };
}

/** A model's probability of every cell: one factor a number, in the order of drawing. */
export function probabilities(counts, model, order) {
  return counts.cells.map((column, i) =>
    column.map((count, j) => {
      const [first, second] =
        order === "steer" ? [counts.steer[i], counts.speed[j]] : [counts.speed[j], counts.steer[i]];
      if (!first) return 0;
      const given = model === "independent" ? second / counts.total : count / first;
      return (first / counts.total) * given;
    }),
  );
}

function sumCells(counts, grid, term) {
  let sum = 0;
  grid.forEach((column, i) =>
    column.forEach((probability, j) => (sum += term(probability, counts.cells[i][j], i, j))),
  );
  return sum;
}

const inventedShare = (counts, grid) =>
  sumCells(counts, grid, (probability, count) => (count === 0 ? probability : 0));

const natsPerAction = (counts, grid) =>
  sumCells(counts, grid, (probability, count) => (count ? -count * Math.log(probability) : 0)) /
  counts.total;

const mutualInformation = (counts, grid) =>
  sumCells(counts, grid, (_, count, i, j) => {
    if (!count) return 0;
    const ratio = (count * counts.total) / (counts.steer[i] * counts.speed[j]);
    return (count / counts.total) * Math.log(ratio);
  });

export const hitsObstacle = ([steer, speed]) =>
  OBSTACLES.some((obstacle) => between(steer, obstacle.steer) && between(speed, obstacle.speed));

/** The share of a bin that an interval covers. */
function covered(index, bins, [low, high]) {
  const width = (2 * ORDER_LIMIT) / bins;
  const start = -ORDER_LIMIT + index * width;
  return Math.max(0, Math.min(start + width, high) - Math.max(start, low)) / width;
}

function crashShare(grid) {
  let share = 0;
  for (const { steer, speed } of OBSTACLES) {
    grid.forEach((column, i) =>
      column.forEach((probability, j) => {
        share += probability * covered(i, grid.length, steer) * covered(j, grid.length, speed);
      }),
    );
  }
  return share;
}

/** What `OrderSummary` holds in Python, with the counts and the two grids that it comes from. */
export function analyseOrder({ actions, bins, order }) {
  const counts = countCells(actions, bins);
  const independent = probabilities(counts, "independent", order);
  const autoregressive = probabilities(counts, "autoregressive", order);
  const count = counts.total;
  const numbers = {
    invented_independent: inventedShare(counts, independent),
    invented_autoregressive: inventedShare(counts, autoregressive),
    nats_independent: natsPerAction(counts, independent),
    nats_autoregressive: natsPerAction(counts, autoregressive),
    mutual_information: mutualInformation(counts, independent),
    crash_demonstrated: actions.filter(hitsObstacle).length / count,
    crash_independent: crashShare(independent),
    crash_autoregressive: crashShare(autoregressive),
  };
  if (!count) for (const name of Object.keys(numbers)) numbers[name] = NaN;
  return { count, ...numbers, counts, grids: { independent, autoregressive } };
}

/** Uniform numbers in [0, 1) by mulberry32: Python repeats them bit by bit. */
function makeDice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The index where the running total of some counts first passes a share of their sum. */
function pick(counts, share) {
  const bound = share * total(counts);
  let passed = 0;
  return counts.findIndex((count) => (passed += count) > bound);
}

/** The counts that the second number is drawn from: those beside the first one, or all. */
export function secondCounts(counts, model, order, firstBin) {
  if (model === "independent") return order === "steer" ? counts.speed : counts.steer;
  return order === "steer" ? counts.cells[firstBin] : counts.cells.map((row) => row[firstBin]);
}

/** Draw samples: `{ first, second }` are bins in the order of drawing, `action` is (steer, speed). */
export function drawSamples(counts, model, order, seed) {
  if (!counts.total) return [];
  const dice = makeDice(seed);
  const width = (2 * ORDER_LIMIT) / counts.bins;
  return Array.from({ length: ORDER_SAMPLES }, () => {
    const [u, v, right, up] = [dice(), dice(), dice(), dice()];
    const first = pick(order === "steer" ? counts.steer : counts.speed, u);
    const second = pick(secondCounts(counts, model, order, first), v);
    const [steer, speed] = order === "steer" ? [first, second] : [second, first];
    const action = [-ORDER_LIMIT + (steer + right) * width, -ORDER_LIMIT + (speed + up) * width];
    return { first, second, action };
  });
}
