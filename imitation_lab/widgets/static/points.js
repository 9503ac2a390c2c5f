// A list of points on a plane that a student adds to, moves and removes.

/** Edit the list that `get` returns: every change hands a new list to `replace`. */
export function pointList(get, replace) {
  return {
    get all() {
      return get();
    },
    add: (point) => replace([...get(), point]),
    move: (index, point) => replace(get().map((old, i) => (i === index ? point : old))),
    remove: (index) => replace(get().filter((_, i) => i !== index)),
    /** The index of the nearest point within a reach, or -1. */
    nearest(place, reach) {
      const distances = get().map(([x, y]) => Math.hypot(x - place[0], y - place[1]));
      const least = Math.min(...distances);
      return least <= reach ? distances.indexOf(least) : -1;
    },
  };
}
