// SPDX-License-Identifier: Apache-2.0
// Every action has a key; the same list is written in the help pane of the page.
import { showMarked } from "./selection.js";

const PLACES = { o: "/console", c: "/console/cases", s: "/console/systems", i: "/console/inventory", f: "/console/search" };
let going = 0;

const rows = () => [...document.querySelectorAll("[data-row]")];
const current = () => document.querySelector("[data-row].at") ?? document.querySelector("[data-row][aria-selected=true]");

function move(step) {
  const all = rows();
  if (!all.length) return;
  const here = all.indexOf(current());
  const next = all[Math.min(all.length - 1, Math.max(0, here < 0 ? 0 : here + step))];
  all.forEach((row) => row.classList.toggle("at", row === next));
  next.scrollIntoView({ block: "nearest" });
  next.querySelector("a[data-open]")?.focus({ preventScroll: true });
}

function open() {
  current()?.querySelector("a[data-open]")?.click();
}

function mark() {
  const box = current()?.querySelector("input[data-mark]");
  if (!box) return;
  box.checked = !box.checked;
  showMarked();
}

function focus(selector) {
  const element = document.querySelector(selector);
  if (!element) return;
  element.closest("details")?.setAttribute("open", "");
  element.scrollIntoView({ block: "nearest" });
  element.focus();
  element.select?.();
}

function retry() {
  const many = document.querySelector("[data-marked-bar] [data-retry]:not(:disabled)");
  (many ?? document.querySelector("[data-key=r]"))?.click();
}

function help(show) {
  const pane = document.querySelector("#help");
  pane.hidden = show === undefined ? !pane.hidden : !show;
  if (!pane.hidden) pane.querySelector("button").focus();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  Enter: open,
  x: mark,
  r: retry,
  e: () => focus("[data-key=e]"),
  d: () => focus("[data-key=d]"),
  "/": () => focus("#find"),
  "?": () => help(),
};

function typing(target) {
  return target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName) || (target.tagName === "INPUT" && target.type !== "checkbox");
}

function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    focus("#find");
    return;
  }
  if (event.key === "Escape") {
    help(false);
    if (typing(event.target)) event.target.blur();
    return;
  }
  if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (Date.now() - going < 1200 && PLACES[event.key]) {
    location.href = PLACES[event.key];
    return;
  }
  if (event.key === "g") {
    going = Date.now();
    return;
  }
  // Enter on a focused control is that control's own business.
  if (event.key === "Enter" && event.target !== document.body) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

export function startKeys() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-help]")) help();
    const row = event.target.closest?.("[data-row]");
    if (!row) return;
    rows().forEach((other) => {
      other.classList.toggle("at", other === row);
      if (event.target.closest("a[data-open]")) other.setAttribute("aria-selected", String(other === row));
    });
  });
}
