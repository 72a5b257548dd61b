// The connection to /ws/live/: messages in, `seen` out, back again when it is lost.
//
// States: connecting (never was live) · live · waiting (lost; until `retryAt`) · stale (connected,
// but the line behind it is silent since `since`) · refused (coming back would not help).

import { draw, drawn } from "./draw.js";
import { everySecond, setHubTime } from "./clock.js";

const NOT_LOGGED_IN = 4401;
const FORBIDDEN = 4403;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 15000;
// This many heartbeats missed: the numbers are old. Twice as many: the socket is dead too.
const HEARTBEATS_STALE = 3;
const HEARTBEATS_DEAD = 6;
// A tab hidden for a moment keeps its connection.
const HIDDEN_GRACE_MS = 5000;

export class Live {
  // `subscription` as docs/live.md has it, without its type and charts.
  constructor({ subscription = {}, sinceMs, onSnapshot, onUpdate, onState }) {
    Object.assign(this, { subscription, onSnapshot, onUpdate, onState });
    const url = new URL("/ws/live/", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.url = url.href;
    this.charts = [];
    this.socket = null;
    this.heardMs = sinceMs;
    this.heartbeatMs = 3000;
    this.tries = 0;
    this.arrived = [];
    this.state = { kind: "connecting" };
    everySecond(() => this.#watch());
    document.addEventListener("visibilitychange", () => this.#visibility());
    addEventListener("online", () => this.retry());
    addEventListener("pageshow", (event) => event.persisted && this.retry());
    this.#connect();
  }

  retry() {
    if (this.state.kind === "waiting") this.#connect();
  }

  // What is charted from now on; updates bring its tails.
  chart(charts) {
    this.charts = charts;
    this.#say({ type: "chart", charts });
  }

  #say(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  #connect() {
    clearTimeout(this.timer);
    const socket = (this.socket = new WebSocket(this.url));
    this.arrived = [];
    this.openedMs = Date.now();
    socket.onopen = () => this.#say({ type: "subscribe", ...this.subscription, charts: this.charts });
    socket.onmessage = ({ data }) => {
      this.heardMs = Date.now();
      this.arrived.push(data);
      draw(this, () => this.#drain());
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      this.#drain(); // the reason may have come just before the end
      this.#lost(code);
    };
  }

  #drain() {
    for (const text of this.arrived.splice(0)) {
      const message = JSON.parse(text);
      if (message.type === "snapshot" || message.type === "update") this.#take(message);
      else if (message.type === "error") this.error = message;
    }
  }

  #take(message) {
    setHubTime(message.at);
    message.tails ??= [];
    this.tries = 0;
    if (message.type === "snapshot") {
      this.heartbeatMs = message.heartbeat_ms;
      this.onSnapshot(message);
    } else {
      this.onUpdate(message);
    }
    const since = message.stale_since;
    this.#become(since === null ? { kind: "live" } : { kind: "stale", since });
    const socket = this.socket;
    drawn(() => {
      if (socket === this.socket) this.#say({ type: "seen", at: message.at });
    });
  }

  #lost(code) {
    this.socket = null;
    if (document.hidden && this.hiddenClosed) return;
    if (code === NOT_LOGGED_IN || code === FORBIDDEN) {
      this.#become({ kind: "refused", code, message: this.error?.message, since: this.heardMs });
      return;
    }
    const waitMs = Math.min(RETRY_MIN_MS * 2 ** this.tries, RETRY_MAX_MS) * (0.75 + Math.random() / 2);
    this.tries += 1;
    this.#become({ kind: "waiting", since: this.heardMs, retryAt: Date.now() + waitMs });
    this.timer = setTimeout(() => this.#connect(), waitMs);
  }

  #watch() {
    if (this.socket === null || document.hidden) return;
    const silentMs = Date.now() - Math.max(this.heardMs, this.openedMs);
    if (silentMs > HEARTBEATS_DEAD * this.heartbeatMs) {
      const { socket } = this;
      this.socket = null;
      socket.close();
      this.#lost(1006);
    } else if (silentMs > HEARTBEATS_STALE * this.heartbeatMs && this.state.kind === "live") {
      this.#become({ kind: "stale", since: this.heardMs });
    }
  }

  // A hidden tab stops: its frames are not drawn, so it could not say `seen`.
  #visibility() {
    clearTimeout(this.hideTimer);
    if (document.hidden) {
      this.hideTimer = setTimeout(() => {
        this.hiddenClosed = true;
        clearTimeout(this.timer);
        this.socket?.close(1000);
      }, HIDDEN_GRACE_MS);
    } else if (this.hiddenClosed) {
      this.hiddenClosed = false;
      if (this.state.kind !== "refused") this.#connect();
    }
  }

  #become(state) {
    const before = this.state;
    this.state = state;
    if (before.kind !== state.kind || state.kind !== "live") this.onState(state);
  }
}
