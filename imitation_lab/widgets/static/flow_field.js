// The exact field of some data: the mean of the data, weighted by how probable it is that the line
// through a point ends there. A softmax, and nothing to train.

const LATEST_TIME = 0.999; // at 1 a particle has arrived: its posterior is shown just before
const NEGLIGIBLE = -36; // in nats: below the last digit of what is summed

/** Make room for the weights of data points; it is used again and again, so that frames allocate nothing. */
export const makeWeights = (count) => ({
  values: new Float64Array(count),
  mean: new Float64Array(2),
  logDensity: 0, // of all particles at the place, up to a constant
});

/** Fill in the posterior of data points (x, y, x, y, …), given that a particle is at a place at a time. */
export function weigh(data, x, y, time, weights) {
  const { values, mean } = weights;
  const count = data.length / 2;
  const factor = -0.5 / (1 - time) ** 2;
  let most = -Infinity;
  for (let k = 0; k < count; k++) {
    const right = x - time * data[2 * k];
    const up = y - time * data[2 * k + 1];
    const logit = factor * (right * right + up * up);
    values[k] = logit;
    if (logit > most) most = logit;
  }
  let [sum, meanX, meanY] = [0, 0, 0];
  for (let k = 0; k < count; k++) {
    const logit = values[k] - most;
    const weight = logit < NEGLIGIBLE ? 0 : Math.exp(logit);
    values[k] = weight;
    sum += weight;
    meanX += weight * data[2 * k];
    meanY += weight * data[2 * k + 1];
  }
  for (let k = 0; k < count; k++) values[k] /= sum;
  mean[0] = meanX / sum;
  mean[1] = meanY / sum;
  weights.logDensity = most + Math.log(sum);
}

/** The same for a particle on show, also when it has arrived. */
export const weighShown = (data, [x, y], time, weights) =>
  weigh(data, x, y, Math.min(time, LATEST_TIME), weights);

/** How many points count: 1 / sum of the squared probabilities. */
export function effectiveCount({ values }, count) {
  let squares = 0;
  for (let k = 0; k < count; k++) squares += values[k] * values[k];
  return 1 / squares;
}

/** Integrate one particle of a scene by Euler's method, from its start through all steps. */
export function integrateParticle({ stops, steps, particles, data }, particle, weights) {
  let [x, y] = [stops[2 * particle], stops[2 * particle + 1]];
  for (let step = 0; step < steps; step++) {
    const time = step / steps;
    weigh(data, x, y, time, weights);
    const share = 1 / steps / (1 - time);
    x += share * (weights.mean[0] - x);
    y += share * (weights.mean[1] - y);
    const place = 2 * ((step + 1) * particles + particle);
    stops[place] = x;
    stops[place + 1] = y;
  }
}

/** Return the mean distance from where particles land to the nearest data point. */
export function landingDistance({ stops, steps, particles, data }) {
  let sum = 0;
  for (let i = 2 * steps * particles; i < stops.length; i += 2) {
    let least = Infinity;
    for (let k = 0; k < data.length; k += 2) {
      const [right, up] = [stops[i] - data[k], stops[i + 1] - data[k + 1]];
      least = Math.min(least, right * right + up * up);
    }
    sum += Math.sqrt(least);
  }
  return sum / particles;
}
