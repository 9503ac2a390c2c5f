// What scrolls sideways can be scrolled by keys: only while it does, so that Tab skips all the rest.
const SCROLLS = ".formula, .highlight pre, pre.output, .table-wrapper, .cell_output .output";
const update = () => {
  for (const element of document.querySelectorAll(SCROLLS)) {
    const scrolls = element.scrollWidth > element.clientWidth + 1;
    if (scrolls) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }
};
addEventListener("load", update);
addEventListener("resize", update);
