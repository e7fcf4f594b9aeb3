// Read all series at one place, from the chart's own table of figures; arrow keys step too.
// On a timeline the arrow keys step from event to event and from lane to lane.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

class Hover {
  constructor(drawing) {
    this.drawing = drawing;
    const figure = drawing.closest("figure");
    const table = figure.querySelector(".chart-data table");
    this.heads = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
    this.rows = [...table.tBodies[0].rows];
    this.places = this.rows.map((row) => Number(row.dataset.place));
    this.swatches = [...figure.querySelectorAll(".chart-key .swatch")].map((one) => one.className);
    this.at = -1;
    this.line = document.createElementNS(SVG, "line");
    this.line.setAttribute("class", "hover-line");
    this.line.setAttribute("y1", "18");
    this.line.setAttribute("y2", String(drawing.height.baseVal.value - 22));
    this.note = document.createElement("div");
    this.note.className = "hover-note";
    this.note.setAttribute("role", "status");
    drawing.tabIndex = 0;
    drawing.addEventListener("pointermove", (event) => this.point(event));
    drawing.addEventListener("pointerleave", () => this.hide());
    drawing.addEventListener("blur", () => this.hide());
    drawing.addEventListener("keydown", (event) => this.step(event));
  }

  point(event) {
    const box = this.drawing.getBoundingClientRect();
    const place = (event.clientX - box.left) / box.width;
    let nearest = 0;
    this.places.forEach((one, i) => {
      if (Math.abs(one - place) < Math.abs(this.places[nearest] - place)) nearest = i;
    });
    this.show(nearest);
  }

  step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.hide();
    if (!by) return;
    event.preventDefault();
    const last = this.rows.length - 1;
    const from = this.at < 0 ? (by > 0 ? -1 : last + 1) : this.at;
    this.show(Math.min(last, Math.max(0, from + by)));
  }

  show(i) {
    if (i === this.at) return;
    this.at = i;
    const place = `${this.places[i] * 100}%`;
    this.line.setAttribute("x1", place);
    this.line.setAttribute("x2", place);
    this.drawing.append(this.line);
    const cells = [...this.rows[i].cells].map((cell) => cell.textContent);
    const list = document.createElement("dl");
    this.heads.forEach((head, n) => {
      const swatch = document.createElement("span");
      swatch.className = this.swatches[n] || "";
      const name = document.createElement("dt");
      name.append(swatch, head);
      const value = document.createElement("dd");
      value.textContent = cells[n + 1];
      list.append(name, value);
    });
    const time = document.createElement("strong");
    time.textContent = cells[0];
    this.note.replaceChildren(time, list);
    if (!this.note.isConnected) this.drawing.after(this.note);
    this.place(this.places[i]);
  }

  // The policy forbids style attributes; setting a property by script is not one.
  place(share) {
    const room = this.drawing.clientWidth || this.drawing.getBoundingClientRect().width;
    const wide = this.note.offsetWidth;
    const left = share * room;
    const x = left + 12 + wide > room ? left - wide - 12 : left + 12;
    this.note.style.setProperty("left", `${Math.max(0, x)}px`);
  }

  hide() {
    this.at = -1;
    this.line.remove();
    this.note.remove();
  }
}

// --- Timelines -------------------------------------------------------------------------------

const eventsOf = (lane) => [...lane.querySelectorAll(".event-link")];
const middle = (mark) => {
  const box = mark.getBoundingClientRect();
  return box.left + box.width / 2;
};

const stepOnTimeline = (event) => {
  const mark = event.target.closest?.(".event-link");
  if (!mark) return;
  const lane = mark.closest(".lane");
  const here = eventsOf(lane);
  let next;
  if (event.key === "ArrowRight") next = here[here.indexOf(mark) + 1];
  else if (event.key === "ArrowLeft") next = here[here.indexOf(mark) - 1];
  else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    let other = lane;
    do {
      other = event.key === "ArrowUp" ? other.previousElementSibling : other.nextElementSibling;
    } while (other && !eventsOf(other).length);
    if (other) {
      next = eventsOf(other).reduce((best, one) =>
        Math.abs(middle(one) - middle(mark)) < Math.abs(middle(best) - middle(mark)) ? one : best,
      );
    }
  } else return;
  event.preventDefault();
  if (next) next.focus();
};

class LaneHover {
  constructor(lanes) {
    const figure = lanes.closest("figure");
    this.lanes = lanes;
    this.start = Date.parse(figure.dataset.start);
    this.end = Date.parse(figure.dataset.end);
    this.grid = lanes.querySelector(".lanes-grid");
    this.line = document.createElementNS(SVG, "line");
    this.line.setAttribute("class", "hover-line");
    this.line.setAttribute("y1", "0");
    this.line.setAttribute("y2", "100%");
    this.time = lanes.querySelector(".lane-ruler .lane-label");
    this.zone = figure.dataset.zone || "UTC";
    lanes.addEventListener("pointermove", (event) => this.point(event));
    lanes.addEventListener("pointerleave", () => this.hide());
    lanes.addEventListener("keydown", stepOnTimeline);
  }

  point(event) {
    const box = this.grid.getBoundingClientRect();
    const place = (event.clientX - box.left) / box.width;
    if (place < 0 || place > 1) return this.hide();
    this.line.setAttribute("x1", `${place * 100}%`);
    this.line.setAttribute("x2", `${place * 100}%`);
    this.grid.append(this.line);
    const moment = new Date(this.start + (this.end - this.start) * place);
    this.time.textContent = moment.toLocaleTimeString("en-GB", { timeZone: this.zone });
  }

  hide() {
    this.line.remove();
    this.time.textContent = "";
  }
}

const begin = (root) => {
  for (const drawing of root.querySelectorAll("svg.has-hover")) new Hover(drawing);
  for (const lanes of root.querySelectorAll(".lanes")) new LaneHover(lanes);
};

begin(document);
document.addEventListener("greenroom:replaced", (event) => begin(event.target));
