// The native API (docs/SERVER.md). A key lives in this tab alone.
let key = sessionStorage.getItem("vortex-key") ?? "";
const tickets = new Map();

async function ask_key() {
  const dialog = document.getElementById("key-dialog");
  if (!dialog.open) dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  key = document.getElementById("key").value;
  sessionStorage.setItem("vortex-key", key);
}

export class Refused extends Error {
  constructor(error, status) {
    super(error.message);
    Object.assign(this, { code: error.code, line: error.line, status });
  }
}

// A response that is fine, or Refused with what the server says.
export async function call(method, path, body, signal) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  if (body !== undefined && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const response = await fetch(path, { method, headers, body, signal });
  if (response.ok) return response;
  const told = await response.json().catch(() => ({ error: { message: response.statusText, code: "broken" } }));
  if (response.status === 401) {
    await ask_key();
    return call(method, path, body, signal);
  }
  throw new Refused(told.error, response.status);
}

export const get = async (path) => (await call("GET", path)).json();
export const post = async (path, body) => (await call("POST", path, body)).json();

// A job's URL as elements that can send no key need it.
export async function open_url(id, url) {
  if (!key) return url;
  const held = tickets.get(id);
  if (!held || held.until < Date.now()) {
    const { ticket } = await post("api/v1/tickets", { id });
    tickets.set(id, { ticket, until: Date.now() + 5e5 });
  }
  return `${url}${url.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(tickets.get(id).ticket)}`;
}
