/* Show which tables, pictures and code blocks go on beyond their right edge. */
(function () {
  "use strict";

  const wide = "pre, .pst-scrollable-table-container, .measured, .output_html";

  function look(box, hint) {
    const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
    box.classList.toggle("goes-on", rest > 4);
    if (hint) {
      hint.hidden = box.scrollWidth <= box.clientWidth + 4;
    }
  }

  function watch(box) {
    let hint = null;
    const what = box.querySelector("table") ? "table" : "picture";
    if (box.querySelector("table, figure.wide")) {
      hint = document.createElement("p");
      hint.className = "scroll-hint";
      hint.textContent = `The ${what} goes on: scroll it sideways \u2192`;
      box.before(hint);
    }
    look(box, hint);
    box.addEventListener("scroll", () => look(box, hint), { passive: true });
    new ResizeObserver(() => look(box, hint)).observe(box);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".bd-article").forEach((article) => {
      article.querySelectorAll(wide).forEach(watch);
    });
  });
})();
