// Everything without a mouse.

import { check, same, until } from '../harness.mjs';

export async function keyboardOnly(world) {
  const { page } = world;

  await world.test('the digits open the pages, and ? lists the keys', async () => {
    await world.open('/');
    for (const [key, path] of [['3', '/approvals'], ['4', '/activity'], ['5', '/jobs'], ['6', '/tools'], ['7', '/settings'], ['1', '/']]) {
      await page.keyboard.press(key);
      await until(`${key} opens ${path}`, async () => new URL(page.url()).pathname === path);
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).getByText('search, or ask anything').first().waitFor();
    await page.keyboard.press('Escape');
  });

  await world.test('Tab goes around every page and never gets caught; what has the focus is seen', async () => {
    for (const path of ['/', '/tools', '/tools/file_write', '/settings', '/activity', '/jobs', '/approvals', '/chat']) {
      await world.open(path);
      await page.evaluate(() => document.activeElement?.blur());
      const seen = [];
      for (let step = 0; step < 260; step += 1) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
          const one = document.activeElement;
          if (!one || one === document.body) return null;
          const { outlineStyle, boxShadow, borderColor } = getComputedStyle(one);
          const around = one.closest(':focus-within[class]');
          globalThis.steps ??= new WeakMap();
          if (!globalThis.steps.has(one)) globalThis.steps.set(one, Math.random().toString(36).slice(2));
          const size = one.getBoundingClientRect();
          return { id: globalThis.steps.get(one), name: `${one.tagName} ${(one.getAttribute('aria-label') ?? one.textContent ?? '').trim().slice(0, 30)}`, ring: outlineStyle !== 'none' || boxShadow !== 'none' || Boolean(around) || borderColor !== '', size: [size.width, size.height] };
        });
        if (at === null || at.id === seen[0]?.id) break;
        check(!seen.slice(-1).some((one) => one.id === at.id), `${path}: Tab is caught at ${at.name}`);
        check(at.ring, `${path}: nothing shows that ${at.name} has the focus`);
        seen.push(at);
      }
      check(seen.length > 10 && seen.length < 260, `${path}: ${seen.length} places were reached`);
    }
  });

  await world.test('a change is made from the palette to its outcome by keyboard alone', async () => {
    await world.open('/');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('file_write');
    await page.keyboard.press('Enter');
    await until('the tool opens', async () => new URL(page.url()).pathname === '/tools/file_write');
    await until('the first field has the focus', async () => page.evaluate(() => document.activeElement?.tagName === 'INPUT'));
    await page.keyboard.type('e2e/keyboard.txt');
    await page.keyboard.press('Tab');
    for (let step = 0; step < 8 && !(await page.evaluate(() => document.activeElement?.tagName === 'TEXTAREA')); step += 1) await page.keyboard.press('Tab');
    await page.keyboard.type('by hand');
    await page.getByText('runs at once').waitFor();
    await page.keyboard.press('Control+Enter');
    await page.getByRole('region', { name: 'Result' }).getByText('file_write').first().waitFor();
    const read = (await world.api('/call', { method: 'POST', body: { tool: 'file_read', args: { path: 'e2e/keyboard.txt' } } })).body;
    same(read.state, 'done', 'the file is there');
  });
}
