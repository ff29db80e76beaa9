// A portrait with three marks: both eyes and the mouth, in pixels of the upright picture.
import { texts } from "./texts.js";

export class Marks {
  constructor(box, photo, changed) {
    Object.assign(this, { box, photo, changed, file: null, at: null });
    this.buttons = texts.marks.map((name, i) => {
      const b = document.createElement("button");
      Object.assign(b, { type: "button", textContent: i + 1, ariaLabel: name, hidden: true });
      b.addEventListener("keydown", (e) => this.key(e, i));
      b.addEventListener("pointerdown", (e) => {
        b.setPointerCapture(e.pointerId);
        b.onpointermove = (m) => {
          const r = photo.getBoundingClientRect();
          this.put(i, (m.clientX - r.left) / r.width, (m.clientY - r.top) / r.height);
        };
      });
      b.addEventListener("pointerup", () => { b.onpointermove = null; });
      photo.parentElement.append(b);
      return b;
    });
  }

  open(file) {
    this.close();
    this.file = file;
    this.photo.src = URL.createObjectURL(file);
    this.box.hidden = false;
    return this.photo.src;
  }

  close() {
    this.file = this.at = null;
    this.box.hidden = true;
    this.buttons.forEach((b) => { b.hidden = true; });
  }

  by_hand(yes) {
    this.at = yes ? [[0.4, 0.4], [0.6, 0.4], [0.5, 0.62]] : null;
    this.buttons.forEach((b, i) => {
      b.hidden = !yes;
      if (yes) this.put(i, ...this.at[i]);
    });
    this.changed();
  }

  put(i, x, y) {
    const clip = (v) => Math.min(1, Math.max(0, v));
    this.at[i] = [clip(x), clip(y)];
    this.buttons[i].style.left = `${this.at[i][0] * 100}%`;
    this.buttons[i].style.top = `${this.at[i][1] * 100}%`;
    this.changed();
  }

  key(event, i) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    this.put(i, this.at[i][0] + step[0] * 0.005, this.at[i][1] + step[1] * 0.005);
  }

  get face() {
    return this.at?.flatMap(([x, y]) => [Math.round(x * this.photo.naturalWidth), Math.round(y * this.photo.naturalHeight)]);
  }
}
