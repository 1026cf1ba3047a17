// SPDX-License-Identifier: Apache-2.0
// Relative times go on ageing while a page is open; the exact UTC is in the markup, local time is added here.
const STEPS = [[60, 1, "s"], [3600, 60, "m"], [86400, 3600, "h"], [Infinity, 86400, "d"]];

function span(seconds) {
  const size = Math.abs(seconds);
  const [, unit, letter] = STEPS.find(([below]) => size < below);
  return `${Math.floor(size / unit)}${letter}`;
}

function age(element) {
  const at = Date.parse(element.dateTime);
  if (Number.isNaN(at)) return;
  const seconds = (Date.now() - at) / 1000;
  const text = seconds >= 0 ? `${span(seconds)} ago` : `in ${span(seconds)}`;
  if (element.textContent !== text) element.textContent = text;
}

function exact(event) {
  const element = event.target.closest?.("time[datetime]");
  if (!element || element.dataset.local) return;
  element.dataset.local = "1";
  element.title = `${element.title}\n${new Date(element.dateTime).toLocaleString()} local`;
}

export function startTimes() {
  document.addEventListener("mouseover", exact);
  document.addEventListener("focusin", exact);
  setInterval(() => document.querySelectorAll("time[data-relative]").forEach(age), 1000);
}
