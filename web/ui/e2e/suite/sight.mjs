// Every page in every mode: axe finds nothing, and pictures are kept for a person to look at.

import { check, until } from '../harness.mjs';
import { picture, violations } from '../look.mjs';

const modes = ['hud', 'daylight', 'alert'];
const sizes = [[1920, 1080], [1366, 768], [390, 844]];

export async function sight(world) {
  // Something waits, so that the pages show it.
  const fetching = (what) => ({ method: 'POST', body: { tool: 'http_fetch', args: { url: `https://example.org/${what}` } } });
  await world.api('/call', fetching('seen'));
  const waiting = (await world.api('/jobs', fetching('seen-by-a-job'))).body.id;
  const conversation = (await world.api('/conversations')).body.conversations[0]?.id;
  const event = (await world.api('/history?limit=1&kind=call.done')).body.events[0]?.seq;
  await world.api('/schedules', { method: 'POST', body: { name: 'disks each morning', tool: 'system_disks', args: {}, cron: '30 4 * * *', zone: 'Europe/Berlin' } });
  const job = (await world.api('/jobs?state=done&limit=1')).body.jobs[0]?.id;
  const pages = [
    ['overview', '/'], ['chat', `/chat/${conversation}`], ['approvals', '/approvals'], ['activity', '/activity'], ['event', `/activity?seq=${event}`], ['jobs', '/jobs'], ['job', `/jobs/${job}`], ['job-waiting', `/jobs/${waiting}`],
    ['tools', '/tools'], ['tool', '/tools/file_write?path=notes/today.md&content=Backups%20ran.%0A'], ['settings', '/settings'], ['systems', '/systems'], ['more', '/more'],
  ];

  for (const [width, height] of sizes) {
    const context = await world.watch.context(world.browser, { viewport: { width, height }, storageState: await world.context.storageState() });
    const page = await context.newPage();
    for (const mode of modes) {
      await page.addInitScript((word) => localStorage.setItem('jarvis.mode', `${word} pinned`), mode);
      for (const [name, path] of pages) {
        if (width >= 720 && (name === 'systems' || name === 'more')) continue;
        await world.test(`${name} in ${mode} at ${width}×${height}: axe finds nothing`, async () => {
          await world.open(path, page);
          await settled(page);
          await picture(page, `${name}-${mode}-${width}x${height}`);
          const found = await violations(page);
          check(found.length === 0, found.join('\n'));
        });
      }
      await world.test(`schedule form in ${mode} at ${width}×${height}: axe finds nothing`, async () => {
        await world.open('/jobs', page);
        await settled(page);
        await page.getByRole('button', { name: 'New schedule' }).click();
        await page.getByRole('dialog').getByLabel('Tool').selectOption('system_processes');
        await picture(page, `schedule-${mode}-${width}x${height}`);
        const found = await violations(page);
        check(found.length === 0, found.join('\n'));
        await page.keyboard.press('Escape');
      });
      await world.test(`palette in ${mode} at ${width}×${height}: axe finds nothing`, async () => {
        await world.open('/', page);
        await settled(page);
        await page.keyboard.press('Control+k');
        await page.getByRole('combobox').fill('res');
        await page.getByRole('option').first().waitFor();
        await page.waitForTimeout(200);
        await picture(page, `palette-${mode}-${width}x${height}`);
        const found = await violations(page);
        check(found.length === 0, found.join('\n'));
        await page.keyboard.press('Escape');
      });
    }
    await context.close();
  }

  await world.test('no stylesheet of any page locks the orientation', async () => {
    await world.open('/');
    const sheets = () => world.page.evaluate(() => performance.getEntriesByType('resource').filter((one) => /Page-[^/]*\.css$/.test(one.name) && one.responseEnd > 0).length);
    await until('all pages were fetched ahead', async () => (await sheets()) >= 5);
    const found = await violations(world.page, { runOnly: ['css-orientation-lock'] });
    check(found.length === 0, found.join('\n'));
  });

  const context = await world.watch.context(world.browser);
  const page = await context.newPage();
  await world.test('the sign-in: axe finds nothing', async () => {
    await page.goto(world.server.url);
    await page.getByLabel("Operator's password").waitFor();
    await picture(page, 'sign-in-hud-1366x768');
    const found = await violations(page);
    check(found.length === 0, found.join('\n'));
  });
  await context.close();
}

/** Nothing is being read any more, and the first gauges have come. */
async function settled(page) {
  await page.waitForFunction(() => document.querySelector('.skeleton, [aria-busy="true"]') === null, null, { timeout: 10_000 }).catch(() => {});
  await page.waitForTimeout(250);
}
