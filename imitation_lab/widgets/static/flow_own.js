// Data of the student's own: points drawn with a mouse, a finger or keys, taken back, and cleared.

import { clamp, roundTo } from "./shared.js";
import { pointList } from "./points.js";
import { PLANE_LIMIT } from "./flow_data.js";
import { pairInWords } from "./flow_numbers.js";

export const MOST_OWN_POINTS = 200;
const APART = 0.16; // between the points of one stroke
const CURSOR_STEP = 0.2;
const REMOVE_REACH = 0.25;

/** Make what edits the settings' points. `view` holds the cursor and what came before each change. */
export function makeOwnPoints(settings, view, redraw) {
  const replace = (points) => {
    settings.points = points;
    redraw();
  };
  const points = pointList(() => settings.points, replace);
  const remember = () => view.before.push(settings.points);
  const onPlane = (place) =>
    place.map((value) => clamp(roundTo(value, 0.01), -PLANE_LIMIT, PLANE_LIMIT));
  const add = (place) => {
    if (points.all.length < MOST_OWN_POINTS) points.add(onPlane(place));
  };
  return {
    /** Begin a stroke, which is taken back as one. */
    begin(place) {
      remember();
      add(place);
    },
    /** Go on with a stroke: a point every so often. */
    extend(place) {
      if (points.nearest(place, APART) < 0) add(place);
    },
    undo() {
      if (view.before.length) replace(view.before.pop());
    },
    clear() {
      remember();
      replace([]);
    },
    near: () => points.all[points.nearest(view.cursor, REMOVE_REACH)] ?? null,
    moveCursor(right, up) {
      const [x, y] = view.cursor;
      view.cursor = onPlane([x + CURSOR_STEP * right, y + CURSOR_STEP * up]);
      view.news = pairInWords(view.cursor) + (this.near() ? ", a point is near" : "");
      redraw();
    },
    addAtCursor() {
      remember();
      add(view.cursor);
      view.news = `Added a point at ${pairInWords(view.cursor)}`;
    },
    removeAtCursor() {
      const index = points.nearest(view.cursor, REMOVE_REACH);
      view.news = index < 0 ? "No point is near" : "Removed a point";
      if (index < 0) return redraw();
      remember();
      points.remove(index);
    },
  };
}
