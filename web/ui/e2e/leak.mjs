// Values that must never turn up again once they were typed, and where that is looked for.

import { check, same } from './harness.mjs';

const readings = [
  '/secrets', '/session', '/settings', '/status', '/doctor', '/tools', '/tokens', '/grants', '/approvals?state=all', '/jobs', '/schedules', '/conversations', '/doubts', '/audit', '/history?limit=500',
];

/** A value that is like no other, and is found by a part of it, too. */
export const valueOf = (name) => `e2e-hunter-${name}-81724`;
const trace = /e2e-hunter-[a-z]+-\d+/g;
const found = (text) => [...new Set(text.match(trace))];

/** In no field, text, attribute or address of the page, and in nothing that the browser keeps. */
export async function notOnPage(page) {
  const there = await page.evaluate(() => [
    document.documentElement.outerHTML, location.href, JSON.stringify(history.state), JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }),
    ...[...document.querySelectorAll('input, textarea')].map((one) => one.value),
  ].join('\n'));
  same(found(there), [], 'values on the page');
}

export async function inNoAnswer(world) {
  const events = (await world.api('/history?limit=500')).body.events.filter((event) => event.kind.startsWith('secret.'));
  for (const path of [...readings, ...events.map((event) => `/events/${event.seq}`)]) {
    const { status, body } = await world.api(path);
    check(status < 300, `${path} answers ${status}`);
    same(found(JSON.stringify(body)), [], `values in the answer to ${path}`);
  }
}
