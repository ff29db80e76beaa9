// A film that plays while it is made: fragments into a MediaSource as they come.
import { call } from "./api.js";

// Resolves when all of it is there; false where the browser can't. Rejects when it breaks off.
export async function play_live(video, live, signal) {
  if (!window.MediaSource || !MediaSource.isTypeSupported(live.mime)) return false;
  const source = new MediaSource(), url = URL.createObjectURL(source);
  video.src = url;
  try {
    await once(source, "sourceopen");
    const buffer = source.addSourceBuffer(live.mime);
    const response = await call("GET", live.url, undefined, signal);
    const reader = response.body.getReader();
    let begun = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      buffer.appendBuffer(value);
      await once(buffer, "updateend");
      if (!begun && buffer.buffered.length > 0) {
        begun = true;
        video.hidden = false;
        // A browser that wants a click first leaves it at its first picture.
        video.play().catch(() => {});
      }
    }
    if (source.readyState === "open") source.endOfStream();
    return true;
  } finally {
    URL.revokeObjectURL(url);
  }
}

function once(target, name) {
  return new Promise((done, fail) => {
    target.addEventListener(name, done, { once: true });
    target.addEventListener("error", fail, { once: true });
  });
}
