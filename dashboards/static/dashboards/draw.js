// One requestAnimationFrame loop for the whole page: what is to be drawn is noted under a key and
// drawn once in the next frame, however often it changed until then.

const noted = new Map();

export const part = (id) => document.getElementById(id);

export function draw(key, job) {
  if (noted.size === 0) requestAnimationFrame(drain);
  noted.set(key, job);
}

function drain() {
  const jobs = [...noted.values()];
  noted.clear();
  for (const job of jobs) job();
}

// Text is written only where it differs: a write of the same text still costs a layout.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
