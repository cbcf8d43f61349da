// The server is killed without warning and comes back on the same data and port: the page goes on by itself.

import { check, same, until } from '../harness.mjs';

export async function comingBack(world) {
  const { page, server, watch } = world;

  await world.test('after a kill -9 the page goes on by itself and has missed nothing', async () => {
    await world.open('/activity');
    const before = (await world.api('/status')).body.head;
    await page.evaluate(() => (globalThis.same = true));
    watch.down = true;
    await server.kill();
    await page.getByRole('alert').getByText('No connection').waitFor();
    // Pages that were never opened are there all the same.
    await page.locator('nav a[href="/settings"]').first().click();
    await page.getByRole('region', { name: 'Settings' }).getByText('Jarvis does not answer').first().waitFor();
    await page.locator('nav a[href="/activity"]').first().click();
    await server.start();
    // Said before the page can have come back: it must still see it.
    const said = server.cli('say', 'how is this machine?');
    same(said.code, 0, `asked from a terminal (${said.err})`);
    await until('the banner is gone', async () => (await page.getByRole('alert').getByText('No connection').count()) === 0, 30_000);
    await until('the stream is live', async () => (await page.locator('footer').getByText('live', { exact: true }).count()) > 0);
    watch.down = false;
    check(await page.evaluate(() => globalThis.same === true), 'the page was not loaded anew');
    const history = (await world.api('/history?limit=100')).body.events.filter((event) => event.seq > before);
    check(history.some((event) => event.kind === 'server.started') && history.some((event) => event.kind === 'turn.asked'), 'the history holds both');
    await until('every event since is on the page', async () => {
      const ids = await page.locator('[role=option]').evaluateAll((rows) => rows.map((row) => Number(row.id.replace('event-', ''))));
      return history.every((event) => ids.includes(event.seq));
    });
  });
}
