// SPDX-License-Identifier: Apache-2.0
// What was typed into an edit survives leaving the page, in this tab, until it was taken over or given up.
const PREFIX = "crossdock.draft.";

function offer(area) {
  const kept = sessionStorage.getItem(PREFIX + area.dataset.draft);
  if (kept === null || kept === area.value) return;
  if (!area.hasAttribute("aria-invalid")) area.value = kept;
  const note = area.closest("form").querySelector("[data-draft-note]");
  if (!note) return;
  note.hidden = false;
  note.querySelector("button").addEventListener("click", () => {
    sessionStorage.removeItem(PREFIX + area.dataset.draft);
    area.value = area.defaultValue;
    note.hidden = true;
    area.focus();
  });
}

function prepare(root) {
  root.querySelectorAll?.("textarea[data-draft]:not([data-ready])").forEach((area) => {
    area.dataset.ready = "1";
    offer(area);
  });
}

export function startDrafts() {
  const done = document.querySelector("[data-draft-done]");
  if (done) sessionStorage.removeItem(PREFIX + done.dataset.draftDone);
  prepare(document);
  document.addEventListener("htmx:after:swap", () => prepare(document));
  document.addEventListener("input", (event) => {
    if (event.target.dataset?.draft) sessionStorage.setItem(PREFIX + event.target.dataset.draft, event.target.value);
  });
}
