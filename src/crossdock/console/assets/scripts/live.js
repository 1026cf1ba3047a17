// SPDX-License-Identifier: Apache-2.0
// The server says "Live" together with the figures; only what it cannot tell is said here.
function say(word) {
  const element = document.querySelector("#live");
  if (!element) return;
  element.dataset.live = "off";
  element.textContent = word;
}

export function startLive() {
  document.addEventListener("htmx:sse:error", () => say("Reconnecting"));
  document.addEventListener("htmx:sse:close", () => say("Not live"));
}
