// The server is killed without warning and comes back on the same data and port: the page goes on by itself.

import { check, same, until } from '../harness.mjs';

export async function comingBack(world) {
  const { page, server, watch } = world;

  await world.test('after a kill -9 the page goes on by itself and has missed nothing', async () => {
    await world.open('/activity');
    const before = (await world.api('/status')).body.head;
    await page.evaluate(() => (globalThis.same = true));
    // A page fetches the others while it has nothing else to do.
    await until('every page is fetched', () =>
      page.evaluate(() => {
        const fetched = performance.getEntriesByType('resource').filter((entry) => entry.responseEnd > 0).map((entry) => entry.name);
        return ['ChatPage', 'ApprovalsPage', 'JobsPage', 'ToolsPage', 'SettingsPage'].every((name) => ['js', 'css'].every((end) => fetched.some((url) => url.includes(`/${name}-`) && url.endsWith(end))));
      }),
    );
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
    const since = async () => (await world.api('/history?limit=500')).body.events.filter((event) => event.seq > before);
    const kinds = (await since()).map((event) => event.kind);
    check(kinds.includes('server.started') && kinds.includes('turn.asked'), `the history holds both: ${kinds.join(' ')}`);
    // Only rows that are on the screen are in the document, and others may come in at any time.
    await until('every event since is on the page, or as many as are shown', async () => {
      const rows = await page.locator('[role=option]').evaluateAll((found) => found.map((row) => Number(row.id.replace('event-', ''))));
      const newest = (await since()).map((event) => event.seq);
      return rows.length > 0 && newest.every((seq, at) => at >= rows.length || rows[at] === seq);
    });
  });
}
