// Pictures of pages, and what axe says about them.

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './server.mjs';

export const screenshots = process.env.JARVIS_SCREENSHOTS ?? join(root, 'target/screenshots');
mkdirSync(screenshots, { recursive: true });

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Every violation as a line. The script comes through the debugger, so the page's content policy stays as it is. */
export async function violations(page) {
  await page.evaluate(axe);
  const report = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return report.violations.map((one) => {
    const nodes = one.nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ''}`);
    return `${one.id} (${one.impact}): ${nodes.join(' | ')}`;
  });
}

export const picture = (page, name) => page.screenshot({ path: join(screenshots, `${name}.png`), animations: 'disabled' });
