// What the frame does beyond plain HTML. Everything here has a way that works without it.
"use strict";

// --- Menus: close on Escape and on a press elsewhere -----------------------------------------

const openMenus = () => document.querySelectorAll("details.menu[open], details.sheet[open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// --- Keys: / searches, ? tells the keys, g and a letter goes somewhere -----------------------

let goingSince = 0;

const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const keys = document.getElementById("keys");
  if (event.key === "/") {
    const box = document.getElementById("search-box");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === "?" && keys) {
    event.preventDefault();
    keys.open ? keys.close() : keys.showModal();
  } else if (event.key === "g") {
    goingSince = event.timeStamp;
  } else if (goingSince && event.timeStamp - goingSince < 1200) {
    goingSince = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  }
});

// --- Theme: change at once, remember on the server -------------------------------------------

for (const form of document.querySelectorAll("form[data-theme-form]")) {
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button) return;
    event.preventDefault();
    document.documentElement.dataset.theme = button.value;
    for (const other of form.querySelectorAll("button")) {
      other.toggleAttribute("aria-pressed", false);
    }
    button.setAttribute("aria-pressed", "true");
    const body = new FormData(form);
    body.set("theme", button.value);
    fetch(form.action, { method: "POST", body, redirect: "manual" });
  });
}

// --- Zone: offer the browser's own -----------------------------------------------------------

for (const button of document.querySelectorAll("[data-browser-zone]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && zone !== "UTC" && zone !== button.dataset.browserZone) {
    button.value = zone;
    button.textContent = `${zone.split("/").pop().replaceAll("_", " ")} (this browser)`;
    button.hidden = false;
  }
}

// --- Copy buttons ----------------------------------------------------------------------------

const copyButton = (text) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.setAttribute("aria-label", "Copy");
  button.title = "Copy";
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    await navigator.clipboard.writeText(text);
    button.classList.add("is-done");
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => {
      button.classList.remove("is-done");
      button.setAttribute("aria-label", "Copy");
    }, 1500);
  });
  return button;
};

const addCopyButtons = (root) => {
  if (!navigator.clipboard) return;
  for (const place of root.querySelectorAll("[data-copy]")) {
    if (!place.querySelector(".copy")) place.append(copyButton(place.dataset.copy));
  }
};

addCopyButtons(document);
document.addEventListener("greenroom:replaced", (event) => addCopyButtons(event.target));
