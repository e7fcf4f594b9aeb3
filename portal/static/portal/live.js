// Sections that keep themselves fresh, and links that open beside instead of away.
//
// <section id="…" data-poll="30"> fetches its own page every 30 s and takes over its own part.
// <a href="…" data-into="detail"> puts the part with that id of the linked page into this page.
"use strict";

const SLOWEST = 8; // times the wish, after failures

const replaced = (section) =>
  section.dispatchEvent(new CustomEvent("greenroom:replaced", { bubbles: true }));

const partOf = (text, id) => {
  const page = new DOMParser().parseFromString(text, "text/html");
  return page.getElementById(id);
};

// What a person has opened stays open.
const takeOver = (section, fresh) => {
  const open = [...section.querySelectorAll("details")].map((one) => one.open);
  section.replaceChildren(...fresh.childNodes);
  section.querySelectorAll("details").forEach((one, i) => {
    if (open[i]) one.open = true;
  });
  replaced(section);
};

const busy = (section) =>
  section.contains(document.activeElement) ||
  section.matches(":hover:has(.has-hover)") ||
  String(document.getSelection());

// All sections of one interval share one request.
class Poll {
  constructor(seconds, sections) {
    this.seconds = Math.max(2, seconds);
    this.sections = sections;
    this.seen = new Map(sections.map((section) => [section.id, section.innerHTML]));
    this.slower = 1;
    this.etag = "";
    this.plan();
  }

  plan() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.turn(), this.seconds * this.slower * 1000);
  }

  async turn() {
    this.sections = this.sections.filter((section) => section.isConnected);
    if (!this.sections.length) return;
    if (!document.hidden) await this.refresh();
    this.plan();
  }

  async refresh() {
    try {
      const headers = { "X-Background": "1" }; // no sign of somebody being there: see sessions.py
      if (this.etag) headers["If-None-Match"] = this.etag;
      const answer = await fetch(location.href, { headers, redirect: "error" });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(String(answer.status));
        this.take(await answer.text());
        this.etag = answer.headers.get("ETag") || "";
      }
      this.slower = 1;
      this.sections.forEach((section) => section.classList.remove("is-old"));
    } catch {
      this.slower = Math.min(SLOWEST, this.slower * 2);
      this.sections.forEach((section) => section.classList.add("is-old"));
    }
  }

  take(text) {
    for (const section of this.sections) {
      const fresh = partOf(text, section.id);
      if (!fresh || busy(section) || fresh.innerHTML === this.seen.get(section.id)) continue;
      this.seen.set(section.id, fresh.innerHTML);
      takeOver(section, fresh);
    }
  }
}

const byInterval = Map.groupBy(document.querySelectorAll("[data-poll][id]"), (section) =>
  Number(section.dataset.poll),
);
const polls = [...byInterval]
  .filter(([seconds]) => seconds > 0)
  .map(([seconds, sections]) => new Poll(seconds, sections));

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) polls.forEach((poll) => poll.turn());
});

// --- Beside ----------------------------------------------------------------------------------

const target = (link) =>
  link.dataset.into || link.closest("[data-into]")?.dataset.into || "";

document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const place = document.getElementById(target(link));
  if (!place) return;
  event.preventDefault();
  const href = link.href.baseVal ?? link.href; // links inside SVG answer an object
  const url = new URL(href, location.href);
  try {
    const answer = await fetch(url, { redirect: "error" });
    const fresh = partOf(await answer.text(), place.id);
    if (!answer.ok || !fresh) throw new Error(String(answer.status));
    takeOver(place, fresh);
    place.hidden = fresh.hidden;
    history.replaceState(null, "", url);
  } catch {
    location.assign(url);
  }
});
