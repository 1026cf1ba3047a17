// SPDX-License-Identifier: Apache-2.0
// htmx's extensions expect it as a global, so it is put there before they are evaluated.
import htmx from "htmx.org";

window.htmx = htmx;
