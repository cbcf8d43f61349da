// 390 pixels wide, by thumb.

import { check, same, until } from '../harness.mjs';

const anyJob = async (world) => (await world.api('/jobs?limit=1')).body.jobs[0].id;

export async function phone(world) {
  const context = await world.watch.context(world.browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 1 });
  const page = await context.newPage();

  await world.test('on a phone nothing is wider than the screen, and the bar stands below', async () => {
    await world.signIn(page);
    for (const path of ['/', '/chat', '/approvals', '/activity', '/jobs', `/jobs/${await anyJob(world)}`, '/tools', '/tools/file_write', '/settings', '/systems', '/more']) {
      await world.open(path, page);
      await page.waitForTimeout(300);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      check(wide <= 390, `${path} is ${wide} pixels wide`);
      const past = await page.evaluate(() => {
        const scrolls = (one) => { for (let at = one.parentElement; at; at = at.parentElement) if (/auto|scroll|hidden/.test(getComputedStyle(at).overflowX)) return true; return false; };
        return [...document.querySelectorAll('main button, main input, main select, main a')].filter((one) => { const box = one.getBoundingClientRect(); return box.width > 0 && box.right > 391 && !one.closest('.unseen') && !one.closest('[role=group]') && !scrolls(one.parentElement ?? one); }).map((one) => one.outerHTML.slice(0, 80));
      });
      same(past, [], `${path}: past the right edge`);
      check(await page.getByRole('navigation', { name: 'Places' }).isVisible(), `${path}: the bar`);
      check(await page.getByRole('button', { name: 'Stop all' }).isVisible(), `${path}: the kill switch`);
    }
  });

  await world.test('a card can be decided by thumb', async () => {
    const asked = (await world.api('/call', { method: 'POST', body: { tool: 'http_fetch', args: { url: 'https://example.org/phone' } } }, page)).body;
    await page.getByRole('navigation', { name: 'Places' }).getByText('Approvals').tap();
    const card = page.locator(`[data-approval="${asked.approval}"]`);
    const deny = card.getByRole('button', { name: 'Deny' });
    await deny.waitFor();
    const size = await deny.boundingBox();
    check(size.height >= 40, `a button is ${size.height} pixels high`);
    await deny.tap();
    await page.getByLabel('Why not').fill('later');
    await page.getByRole('button', { name: /^Deny/ }).tap();
    await until('it is decided', async () => (await world.api(`/approvals/${asked.approval}`, {}, page)).body.state === 'denied');
  });

  await context.close();
}
