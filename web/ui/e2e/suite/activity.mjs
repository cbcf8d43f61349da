// The audit: what happened is there, by filter, by request, live, and it verifies.

import { check, same, until } from '../harness.mjs';

export async function activity(world) {
  const { page } = world;
  const rows = () => page.locator('[role=option]');

  await world.test('rows are filtered by kind, and one opens with its body', async () => {
    await world.open('/activity?kind=control');
    await until('settings were changed', async () => (await rows().filter({ hasText: 'setting.changed' }).count()) > 0);
    const kinds = await page.locator('[role=option] .kind').allTextContents();
    check(kinds.every((kind) => /^(kill|setting|policy|operator|server|grant|secret|vault|mount)\./.test(kind)), `only control: ${kinds.join(' ')}`);
    await rows().filter({ hasText: 'setting.changed' }).first().click();
    await page.getByText('approval_minutes').first().waitFor();
    check(/seq=\d+/.test(page.url()), 'an opened row has an address');
  });

  await world.test('a new row stands on top without a reload', async () => {
    await world.open('/activity');
    await until('rows are there', async () => (await rows().count()) > 3);
    const before = (await world.api('/status')).body.head;
    const done = world.server.cli('call', 'system_info');
    same(done.code, 0, 'the call from a terminal');
    // Other rows may have come in, too.
    await until('its row is there', async () => {
      const found = await rows().evaluateAll((list) => list.map((row) => [Number(row.id.replace('event-', '')), row.textContent ?? '']));
      return found.some(([seq, text]) => seq > before && /system_info/.test(text));
    });
  });

  await world.test('everything that one request caused is found, and a subject can be linked to', async () => {
    const asked = (await world.api('/history?kind=turn.asked&limit=1')).body.events[0];
    await world.open(`/activity?subject=${asked.subject}`);
    await until('all rows of the turn', async () => (await rows().count()) >= 2);
    await rows().last().click();
    await page.getByRole('button', { name: asked.correlation }).click();
    await page.waitForURL(/correlation=/);
    const wanted = (await world.api('/history?limit=500')).body.events.filter((event) => event.correlation === asked.correlation).length;
    await until('the same rows as in the history', async () => (await rows().count()) === wanted);
  });

  await world.test('the audit verifies, and says how much was checked', async () => {
    await page.getByRole('button', { name: 'verify the audit' }).click();
    await page.getByText('The audit is whole').waitFor();
    await page.keyboard.press('Escape');
  });

  await world.test('J and K walk through the rows', async () => {
    await world.open('/activity');
    await until('rows are there', async () => (await rows().count()) > 3);
    await page.keyboard.press('j');
    const first = new URL(page.url()).searchParams.get('seq');
    await page.keyboard.press('j');
    const second = new URL(page.url()).searchParams.get('seq');
    check(Number(second) < Number(first), `${second} is older than ${first}`);
  });
}
