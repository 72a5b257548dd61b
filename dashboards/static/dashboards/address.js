// What of the fleet is looked at, as it stands in the page's address. Pure; `pages/view.py` reads
// the same for the first paint.

export const METRICS_MAX = 6;

export function read(search) {
  const asked = new URLSearchParams(search);
  const sort = asked.get("sort") ?? "";
  const metrics = (asked.get("metrics") ?? "").split(",").filter(Boolean);
  return {
    text: asked.get("q") ?? "",
    status: asked.get("status") ?? "",
    sort: sort.replace(/^-/, "") || "name",
    down: sort.startsWith("-"),
    metrics: [...new Set(metrics)].slice(0, METRICS_MAX),
  };
}

// What is as it would be anyway is left out.
export function write({ text, status, sort, down, metrics }) {
  const order = sort === "name" && !down ? "" : `${down ? "-" : ""}${sort}`;
  const said = [["q", text], ["status", status], ["sort", order], ["metrics", metrics.join()]];
  const search = new URLSearchParams(said.filter(([, one]) => one)).toString();
  return search && `?${search.replaceAll("%2C", ",").replaceAll("%3A", ":")}`;
}
