// Trying a device: a plain connection as this device sends what is typed and shows the answers. Its
// token is asked for when something is sent, and ended when the page is left.

import { closedWords, inWords } from "./answers.js";

const SHOWN = 20;
const part = (id) => document.getElementById(`try-${id}`);
const { begin, end } = document.getElementById("try").dataset;
const form = part("form");
let hub = null;
let tokenId;

function show(kind, words, lines = [], text = "") {
  const answer = part("answer").content.firstElementChild.cloneNode(true);
  const [first, list, raw] = answer.children;
  answer.dataset.kind = kind;
  first.textContent = words;
  for (const line of lines) list.appendChild(document.createElement("li")).textContent = line;
  raw.textContent = text;
  part("answers").prepend(answer);
  part("answers").children[SHOWN]?.remove();
}

function hear({ data }) {
  const message = JSON.parse(data);
  const good = message.type === "ack" && message.rejected === 0;
  show(good ? "good" : "bad", ...inWords(message), data);
}

function tell(words) {
  part("state").textContent = words;
  part("leave").hidden = hub === null;
}

async function connect() {
  tell("Connecting …");
  const asked = { method: "POST", body: new FormData(form), redirect: "error" };
  const response = await fetch(begin, asked).catch(() => ({ status: "it cannot be reached" }));
  if (!response.ok) throw new Error(`The hub gave no token: ${response.status}.`);
  const given = await response.json();
  tokenId = given.id;
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws/ingest/`, ["weir.v1", `bearer.${given.token}`]);
  hub = socket;
  socket.onmessage = hear;
  socket.onclose = ({ code }) => {
    if (hub !== socket) return;
    show("bad", closedWords(code));
    leave();
  };
  await new Promise((opened) => (socket.onopen = opened));
  tell("Connected.");
}

function leave() {
  hub?.close();
  hub = null;
  tell("Not connected.");
  if (!tokenId) return;
  const body = new FormData(form);
  body.set("id", tokenId);
  tokenId = null;
  navigator.sendBeacon(end, body); // sent even while the page goes
}

form.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const text = part("text").value;
  try {
    if (!hub) await connect();
    show("sent", "Sent", [], text);
    hub.send(text);
  } catch (error) {
    show("bad", error.message);
    leave();
  }
});
part("leave").addEventListener("click", leave);
addEventListener("pagehide", leave);
