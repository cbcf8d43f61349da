// Pictures of pages, and what axe says about them.

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './server.mjs';

export const screenshots = process.env.JARVIS_SCREENSHOTS ?? join(root, 'target/screenshots');
mkdirSync(screenshots, { recursive: true });

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Every violation as a line. The script comes through the debugger, so the page's content policy stays as it is. Axe
    reads no stylesheet by itself: the pages are fetched ahead, and one that is just arriving it would put into the
    document as text, which the policy forbids. The one rule that needs them is run by its name. */
export async function violations(page, options = { preload: false }) {
  await page.evaluate(axe);
  const report = await page.evaluate((more) => globalThis.axe.run(document, { resultTypes: ['violations'], ...more }), options);
  return report.violations.map((one) => {
    const nodes = one.nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ''}`);
    return `${one.id} (${one.impact}): ${nodes.join(' | ')}`;
  });
}

export const picture = (page, name) => page.screenshot({ path: join(screenshots, `${name}.png`), animations: 'disabled' });
