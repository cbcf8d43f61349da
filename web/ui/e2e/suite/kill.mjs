// The kill switch: two presses on, everything above green refused and said so, two presses off.

import { check, same, until } from '../harness.mjs';

const write = { tool: 'file_write', args: { path: 'e2e/stopped.txt', content: 'x' } };

export async function killing(world) {
  const { page } = world;

  await world.test('stopping all takes two presses, is said across the page, and refuses every change', async () => {
    await world.open('/tools/file_write');
    await page.getByLabel('path', { exact: true }).fill(write.args.path);
    await page.getByLabel('content', { exact: true }).fill('x');
    await page.getByText('runs at once').waitFor();
    await page.getByRole('button', { name: 'Stop all' }).click();
    same((await world.api('/status')).body.kill, 'off', 'after one press');
    await page.getByRole('button', { name: 'Press to stop all' }).click();
    await page.getByRole('alert').getByText('Stopped').waitFor();
    same((await world.api('/status')).body.kill, 'effects', 'after two');
    await page.getByText('the kill switch is on').first().waitFor();
    await until('the form runs nothing', async () => page.locator('form button[type="submit"]').isDisabled());
    const refused = await world.api('/call', { method: 'POST', body: write });
    same([refused.status, refused.body.code], [403, 'stopped'], 'a change');
    const read = await world.api('/call', { method: 'POST', body: { tool: 'system_info' } });
    same(read.body.state, 'done', 'a read');
    same(await page.evaluate(() => document.documentElement.dataset.mode), 'alert', 'the mode');
  });

  await world.test('while everything is stopped nothing can be approved, and a denial still can be given', async () => {
    await world.api('/kill', { method: 'DELETE' });
    const asked = (await world.api('/call', { method: 'POST', body: { tool: 'http_fetch', args: { url: 'https://example.org/stopped' } } })).body;
    await world.api('/kill', { method: 'POST', body: { level: 'effects' } });
    await world.open('/approvals');
    const card = page.locator(`[data-approval="${asked.approval}"]`);
    await card.getByText('Resume first').waitFor();
    check(await card.getByRole('button', { name: 'Approve once' }).isDisabled(), 'it cannot be approved');
    await card.focus();
    await page.keyboard.press('a');
    same((await world.api(`/approvals/${asked.approval}`)).body.state, 'pending', 'after the key');
    await card.getByRole('button', { name: 'Deny' }).click();
    await page.getByLabel('Why not').fill('stopped');
    await page.keyboard.press('Enter');
    await card.waitFor({ state: 'detached' });
    await world.open('/tools/file_write');
    await page.getByLabel('path', { exact: true }).fill(write.args.path);
    await page.getByLabel('content', { exact: true }).fill('x');
    await page.getByText('the kill switch is on').first().waitFor();
  });

  await world.test('resuming takes two presses, and the form that waited goes on', async () => {
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Press to resume' }).click();
    await page.getByText('runs at once').waitFor();
    same((await world.api('/status')).body.kill, 'off', 'the kill switch');
    check((await page.getByRole('alert').count()) === 0, 'the banner is gone');
  });

  await world.test('the palette stops and resumes by keyboard alone, each with two presses', async () => {
    await world.open('/');
    for (const [typed, first, wanted] of [['stop all', 'Enter again to stop all', 'effects'], ['resume', 'Enter again to resume', 'off']]) {
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: 'Ask, or find anything' }).fill(typed);
      await page.keyboard.press('Enter');
      await page.getByText(first).waitFor();
      await page.keyboard.press('Enter');
      await until(`the kill switch is ${wanted}`, async () => (await world.api('/status')).body.kill === wanted);
      // The switch is thrown before the page has heard of it, and the palette offers what the page knows.
      await page.getByRole('alert').getByText('Stopped').waitFor({ state: wanted === 'off' ? 'hidden' : 'visible' });
    }
  });

  await world.test('the palette changes the mode, and the choice is kept', async () => {
    const mode = () => page.evaluate(() => document.documentElement.dataset.mode);
    for (const one of ['daylight', 'hud']) {
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: 'Ask, or find anything' }).fill(`mode ${one}`);
      await page.keyboard.press('Enter');
      await until(`the mode is ${one}`, async () => (await mode()) === one);
      await page.reload();
      await world.live();
      same(await mode(), one, 'after a reload');
    }
  });
}
