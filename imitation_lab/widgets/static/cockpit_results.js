// How the policies have driven so far, one line for each of them, and a drive in words.

import { html, percent } from "./shared.js";
import { summariseLog } from "./cockpit_drive.js";

const HEADS = ["", "drives", "finished", "crashed", "takeovers", "by you"];
const OUTCOMES = {
  success: "It reached its goal",
  failure: "It crashed",
  "cut off": "It was stopped",
};

export function makeResults() {
  const body = html("tbody");
  const head = html("tr", {}, ...HEADS.map((text) => html("th", { scope: "col" }, text)));
  const node = html("table", { class: "results" }, html("thead", {}, head), body);
  const draw = (results, weights) => {
    node.hidden = results.every(({ drives }) => drives === 0);
    body.replaceChildren(...results.map((result, i) => resultRow(result, i, weights)));
  };
  return { node, draw };
}

function resultRow(result, index, weights) {
  const { drives, reached, crashed, steps, by_hand: byHand, takeovers } = result;
  const name = `policy ${index + 1}${result.weights === weights ? ", now" : ""}`;
  const numbers = [drives, reached, crashed, takeovers, steps ? percent(byHand / steps) : "–"];
  return html(
    "tr",
    {},
    html("th", { scope: "row" }, name),
    ...numbers.map((number) => html("td", {}, String(number))),
  );
}

/** Return what the widget says below its panels. */
export function cockpitSentence({ drive, running, engaged, threshold, ensemble, plan, mail }) {
  if (drive.log.length === 0)
    return "Enter or Start: the policy drives, and you watch. Hold Space or the pointer, and you drive.";
  if (drive.discarded) return "The last drive is discarded.";
  const { seconds, byHand, takeovers, share } = summariseLog(drive.log, plan.time_step);
  const times = takeovers === 1 ? "1 takeover" : `${takeovers} takeovers`;
  const hand = takeovers === 0 ? "all of it by the policy" : `${percent(share)} by you, in ${times}`;
  if (running) {
    const now = ensemble ? `, doubt ${drive.log.at(-1).doubt.toFixed(2)}` : "";
    return `${engaged ? "You drive" : "The policy drives"}: ${seconds.toFixed(1)} s on the road${now}; ${hand}.`;
  }
  const doubtful = ensemble && threshold !== null ? doubtInWords(drive.log, threshold) : "";
  const kept = plan.record ? ` ${savedInWords(mail, byHand)}` : "";
  return `${OUTCOMES[drive.ending]} after ${seconds.toFixed(1)} s, ${hand}.${doubtful}${kept}`;
}

function doubtInWords(log, threshold) {
  const above = log.filter(({ doubt }) => doubt > threshold).length;
  return ` The doubt lay above the line in ${percent(above / log.length)} of the steps.`;
}

function savedInWords({ waiting, trouble, kernel, restarted }, byHand) {
  if (!kernel) return "Without a kernel it is not kept.";
  if (restarted) return "It is not kept: the kernel was restarted. Run the notebook's cells again.";
  if (trouble) return `It is in the kernel, but not on disk: ${trouble}`;
  if (waiting > 0)
    return waiting === 1 ? "It waits for the kernel." : `${waiting} drives wait for the kernel.`;
  if (byHand === 0) return "Saved; there is nothing in it to learn from.";
  return byHand === 1 ? "Saved: 1 correction." : `Saved: ${byHand} corrections.`;
}
