// Trained policies, computed in the browser: the networks of `networks.py` between their normalizers.

/**
 * Return one function for each policy: from an observation to the first action of its chunk, both in physical
 * units. `layers` counts the numbers that go in and those that come out of every layer; `numbers` are those of
 * all policies as `pack_weights` writes them.
 */
export function makePolicies({ layers, action_dim: actionDim }, numbers) {
  const policies = [];
  for (let start = 0; start < numbers.length; ) {
    const take = (count) => numbers.subarray(start, (start += count));
    policies.push(makePolicy(layers, actionDim, take));
  }
  return policies;
}

function makePolicy(sizes, actionDim, take) {
  const takeScale = (count) => ({ mean: take(count), scale: take(count) });
  const seen = takeScale(sizes[0]);
  const layers = sizes.slice(1).map((fanOut, i) => ({
    weights: take(sizes[i] * fanOut),
    biases: take(fanOut),
  }));
  const done = takeScale(actionDim);
  return (observation) => {
    let values = observation.map((value, i) => (value - seen.mean[i]) / seen.scale[i]);
    layers.forEach((layer, i) => (values = applyLayer(layer, values, i < layers.length - 1)));
    return Array.from(done.mean, (mean, i) => values[i] * done.scale[i] + mean);
  };
}

function applyLayer({ weights, biases }, values, rectified) {
  const result = new Float64Array(biases.length);
  for (let row = 0, at = 0; row < result.length; row++) {
    let sum = biases[row];
    for (let column = 0; column < values.length; column++) sum += weights[at++] * values[column];
    result[row] = rectified ? Math.max(0, sum) : sum;
  }
  return result;
}

/** How much actions differ: the root of their variance across policies, summed over the dimensions. */
export function disagreementOf(actions) {
  const variances = actions[0].map((_, axis) => {
    const values = actions.map((action) => action[axis]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  });
  return Math.sqrt(variances.reduce((sum, variance) => sum + variance, 0));
}
