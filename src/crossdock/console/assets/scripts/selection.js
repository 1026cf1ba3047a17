// SPDX-License-Identifier: Apache-2.0
// Many rows at once: the bar says how many are marked and what they are worth before anything happens.
function marked() {
  return [...document.querySelectorAll("input[data-mark]:checked")];
}

function worth(boxes) {
  const sums = new Map();
  for (const { dataset } of boxes) {
    if (dataset.currency) sums.set(dataset.currency, (sums.get(dataset.currency) ?? 0) + Number(dataset.money));
  }
  return [...sums].map(([currency, sum]) => `${sum.toLocaleString("en", { minimumFractionDigits: 2 })} ${currency}`).join(" + ");
}

export function showMarked() {
  const bar = document.querySelector("[data-marked-bar]");
  if (!bar) return;
  const boxes = marked();
  const money = worth(boxes);
  bar.querySelector("[data-marked-count]").textContent = `${boxes.length} marked${money ? `, ${money}` : ""}`;
  bar.querySelectorAll("button").forEach((button) => { button.disabled = boxes.length === 0; });
}

export function startSelection() {
  showMarked();
  document.addEventListener("htmx:after:swap", showMarked);
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("input[data-mark-all]")) {
      document.querySelectorAll("input[data-mark]").forEach((box) => { box.checked = event.target.checked; });
    }
    if (event.target.matches?.("input[data-mark], input[data-mark-all]")) showMarked();
  });
}
