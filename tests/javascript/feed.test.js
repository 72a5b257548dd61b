import assert from "node:assert/strict";
import test from "node:test";

const frames = [];
globalThis.requestAnimationFrame = (job) => frames.push(job);
const { setHubTime } = await import("../../dashboards/static/dashboards/clock.js");
const { Feed } = await import("../../dashboards/static/dashboards/feed.js");
const { Charted } = await import("../../dashboards/static/dashboards/series.js");

const NOW_MS = 1_000_000;
const STEP_MS = 1_000;
const columns = { start: [NOW_MS], count: [1], min: [1], max: [1], mean: [1], last: [1] };

function chartOf(key) {
  const line = { charted: new Charted(key) };
  return { lines: [line], inSight: true, failure: null, plot: { clientWidth: 100 }, note() {}, charted: line.charted };
}

// A page of charts of these series, and a hub that answers by `answers(series asked for)`.
function pageOf(keys, answers) {
  const [asked, said] = [[], []];
  globalThis.fetch = async (url, { signal }) => {
    const series = new URLSearchParams(url.split("?")[1]).getAll("series");
    asked.push(series);
    said.push("history");
    const answer = await answers(series);
    signal.throwIfAborted();
    return answer;
  };
  setHubTime(NOW_MS);
  const page = { follows: true, charts: keys.map(chartOf), asked, said };
  const view = { live: true, zone: "UTC", span: () => [NOW_MS - 60_000, NOW_MS] };
  page.feed = new Feed({ view, follows: () => page.follows, chart: (charts) => said.push(charts.map(({ series }) => series).join()) });
  for (const chart of page.charts) page.feed.add(chart);
  return page;
}

// Until nothing is left to be drawn or answered; within a bound.
async function settle() {
  for (let round = 0; round < 50; round += 1) {
    for (const job of frames.splice(0)) job();
    await new Promise((done) => setImmediate(done));
  }
}

const known = (series, at = NOW_MS) => ({
  ok: true,
  json: async () => ({ at, step_ms: STEP_MS, series: series.map((key) => ({ device: key.split("/")[0], metric: key.split("/")[1], gap_ms: 3_000, columns })) }),
});
const gone = (key) => ({ ok: false, status: 404, json: async () => ({ detail: `There is no series ${key}.` }) });

test("a series that is gone fails alone, and the others are asked for again", async () => {
  const page = pageOf(["roof/temp", "roof/temperature", "roof/wind"], (series) => (series.includes("roof/temperature") ? gone("roof/temperature") : known(series)));
  await settle();
  assert.deepEqual(page.charts.map(({ failure }) => failure), [null, "There is no series roof/temperature.", null]);
  assert.deepEqual(page.charts.map(({ charted }) => charted.whole), [true, false, true]);
  assert.deepEqual(page.asked.map(({ length }) => length), [3, 2]);
});

test("a series that an answer lacks is not asked for without end", async () => {
  const page = pageOf(["roof/temperature", "roof/wind"], (series) => known(series.filter((key) => key !== "roof/wind")));
  await settle();
  assert.equal(page.charts[1].failure, "The hub's answer lacks roof/wind.");
  assert.equal(page.asked.length, 1);
});

test("history that was long on the way is fetched again once the hub was told what is charted", async () => {
  const ats = [NOW_MS - 11_000, NOW_MS];
  const page = pageOf(["roof/wind"], (series) => known(series, ats.shift()));
  await settle();
  assert.deepEqual(page.said, ["history", "roof/wind", "history"]);
  assert.deepEqual([page.charts[0].charted.whole, page.charts[0].charted.columns.at], [true, NOW_MS]);
});

test("who stops for a moment lacks nothing, and who stops for longer fetches all again", async () => {
  const page = pageOf(["roof/wind"], (series) => known(series));
  await settle();
  for (const [passedMs, times] of [[5_000, 1], [9_000, 2]]) {
    page.follows = false;
    page.feed.note();
    await settle();
    setHubTime(NOW_MS + passedMs);
    page.follows = true;
    page.feed.note();
    await settle();
    assert.equal(page.asked.length, times);
  }
});

test("what was being fetched when updates went by unheard is asked for anew", async () => {
  let slow = null;
  const page = pageOf(["roof/wind"], (series) => (slow ? known(series) : new Promise((done) => (slow = done))));
  await settle();
  page.feed.missed();
  await settle();
  slow(known([]));
  await settle();
  assert.deepEqual([page.asked.length, page.charts[0].charted.whole, page.charts[0].failure], [2, true, null]);
});
