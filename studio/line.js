// Moods over time: markers under the sound's wave, by pointer and by keys.
import { texts } from "./texts.js";

export class Line {
  constructor(box, canvas, changed) {
    Object.assign(this, { box, canvas, changed, moods: [], seconds: 0, peaks: [] });
    box.addEventListener("click", (event) => {
      if (event.target.tagName !== "BUTTON") this.add(this.time_of(event), this.mood_next());
    });
    new ResizeObserver(() => this.draw()).observe(box);
  }

  time_of(event) {
    const r = this.box.getBoundingClientRect();
    return this.clip((event.clientX - r.left) / r.width * this.length);
  }

  get length() { return this.seconds || 10; }

  clip(s) { return Math.round(Math.min(Math.max(s, 0), this.length - 0.1) * 10) / 10; }

  add(at_s, mood) {
    const taken = (s) => this.moods.some((m) => m.at_s === s);
    while (taken(at_s) && at_s < this.length - 0.1) at_s = this.clip(at_s + 0.5);
    if (taken(at_s)) return;
    const entry = { at_s, mood };
    this.moods.push(entry);
    this.show(entry);
  }

  set_seconds(seconds) {
    this.seconds = seconds;
    this.show();
  }

  // A new order and new places; the focus stays with `entry`.
  show(entry) {
    this.moods.sort((a, b) => a.at_s - b.at_s);
    this.box.querySelectorAll("button").forEach((b) => b.remove());
    for (const m of this.moods) {
      const b = document.createElement("button");
      b.type = "button";
      b.textContent = m.mood;
      b.style.left = `${m.at_s / this.length * 100}%`;
      b.setAttribute("aria-label", texts.mood_at(m.mood, m.at_s));
      b.addEventListener("keydown", (e) => this.key(e, m));
      b.addEventListener("pointerdown", (e) => this.drag(e, m, b));
      this.box.append(b);
      if (m === entry) b.focus();
    }
    this.draw();
    this.changed();
  }

  key(event, m) {
    const step = { ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -1, PageUp: 1 }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") {
      this.moods = this.moods.filter((x) => x !== m);
      this.show();
      (this.box.querySelector("button") ?? document.getElementById("add-mood")).focus();
    } else if (step !== undefined) {
      this.move(m, m.at_s + step);
      this.show(m);
    } else return;
    event.preventDefault();
  }

  // Two moods never begin at the same time.
  move(m, s) {
    s = this.clip(s);
    if (!this.moods.some((x) => x !== m && x.at_s === s)) m.at_s = s;
  }

  drag(event, m, button) {
    const move = (e) => {
      this.move(m, this.time_of(e));
      button.style.left = `${m.at_s / this.length * 100}%`;
    };
    button.setPointerCapture(event.pointerId);
    button.addEventListener("pointermove", move);
    button.addEventListener("pointerup", () => this.show(m), { once: true });
  }

  draw() {
    const { canvas, peaks } = this, g = canvas.getContext("2d");
    g.clearRect(0, 0, canvas.width, canvas.height);
    g.fillStyle = getComputedStyle(this.box).getPropertyValue("--accent");
    peaks.forEach((p, i) => {
      const h = Math.max(2, p * canvas.height);
      g.fillRect(i / peaks.length * canvas.width, (canvas.height - h) / 2, canvas.width / peaks.length * 0.6, h);
    });
  }
}
