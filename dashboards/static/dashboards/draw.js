// One requestAnimationFrame loop for the whole page: what is to be drawn is noted under a key and
// drawn once in the next frame, however often it changed until then.

const noted = new Map();
const afterwards = [];
let asked = false;

export const part = (id) => document.getElementById(id);

export function draw(key, job) {
  noted.set(key, job);
  ask();
}

// Once all that is noted is drawn, and what that notes as well.
export function drawn(job) {
  afterwards.push(job);
  ask();
}

function ask() {
  if (!asked) requestAnimationFrame(drain);
  asked = true;
}

function drain() {
  asked = false;
  const jobs = [...noted.values()];
  noted.clear();
  for (const job of jobs) job();
  if (noted.size === 0) for (const job of afterwards.splice(0)) job();
}

// Text is written only where it differs: a write of the same text still costs a layout.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
