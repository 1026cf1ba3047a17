// SPDX-License-Identifier: Apache-2.0
// Pages work without any of this; scripts add liveness, keys, copying and drafts.
import "./htmx.js";
import "htmx.org/dist/ext/hx-sse.js";
import { startCopying } from "./copying.js";
import { startDrafts } from "./drafts.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startSelection } from "./selection.js";
import { startTimes } from "./times.js";

startTimes();
startCopying();
startDrafts();
startSelection();
startKeys();
startLive();
