// A small runner: named tests, one after the other, each line saying what was promised and whether it held.

const results = { passed: 0, failed: 0 };
const only = process.argv.slice(2).join(' ').toLowerCase();

export class Skipped extends Error {}

/** Runs one test. It goes on after a failure, so that one run tells everything that is wrong. */
export async function test(name, run, { onFailure } = {}) {
  if (only && !name.toLowerCase().includes(only) && !name.startsWith('the printed link')) return;
  const started = Date.now();
  try {
    await run();
    results.passed += 1;
    console.log(`  ok    ${name} (${Date.now() - started} ms)`);
  } catch (error) {
    results.failed += 1;
    console.log(`  FAIL  ${name}\n${indent(error?.stack ?? String(error))}`);
    await onFailure?.(name).catch(() => {});
  }
}

/** For tests whose real part is not on this machine. In CI that is a failure. */
export function skip(what, count) {
  console.log(`skipped: ${what} (${count} tests)`);
  if (process.env.JARVIS_CI === '1') {
    results.failed += count;
    console.log('  FAIL  JARVIS_CI=1 allows no skipped test');
  }
}

export function check(holds, message) {
  if (!holds) throw new Error(message);
}

export function same(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: found ${a}, wanted ${b}`);
}

/** Asks again and again until it holds; what is waited for is a state, so there is no event to wait for. */
export async function until(what, holds, millis = 15_000) {
  const end = Date.now() + millis;
  let last;
  while (Date.now() < end) {
    try {
      last = await holds();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  throw new Error(`waited ${millis} ms for: ${what}${last instanceof Error ? ` (${last.message})` : ''}`);
}

export function finish() {
  console.log(`e2e: ${results.passed} passed, ${results.failed} failed`);
  return results.failed === 0 ? 0 : 1;
}

const indent = (text) => text.split('\n').slice(0, 14).map((line) => `        ${line}`).join('\n');
