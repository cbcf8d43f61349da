// The generated forms: validation, preview, run, undo, and the same call elsewhere.

import { check, same, until } from '../harness.mjs';

export async function tools(world) {
  const { page } = world;
  const preview = () => page.getByRole('region', { name: 'What would happen' }).or(page.locator('section[aria-label="What would happen"]'));

  await world.test('the catalogue lists every tool with its tier, and the filter narrows it', async () => {
    await world.open('/tools');
    const all = (await world.api('/tools')).body.tools;
    await until('all tools are listed', async () => (await page.locator('main li a[href^="/tools/"]').count()) === all.length);
    await page.getByLabel('Filter tools').fill('file write');
    await until('one is left', async () => (await page.locator('main li a[href^="/tools/"]').count()) < all.length);
    await page.getByRole('link', { name: /file_write/ }).first().waitFor();
  });

  await world.test('a form validates as one types, by the bounds of the schema', async () => {
    await world.open('/tools/log_read');
    const lines = page.getByLabel('lines', { exact: true });
    await lines.fill('5000');
    await page.getByText('at most 2000').waitFor();
    check(await page.getByRole('button', { name: 'Run', exact: true }).isDisabled(), 'nothing can be run while something is wrong');
    await lines.fill('5');
    await until('it can be run', async () => page.getByRole('button', { name: 'Run', exact: true }).isEnabled());
  });

  await world.test('a write shows its sentence, verdict and diff before it runs, runs, and is undone', async () => {
    await world.open('/tools/file_write');
    await page.getByLabel('path', { exact: true }).fill('e2e/note.txt');
    await page.getByLabel('content', { exact: true }).fill('first line\nsecond line\n');
    await preview().getByText('runs at once').waitFor();
    await preview().getByText('+second line').waitFor();
    const line = await page.getByRole('region', { name: 'the command' }).textContent();
    same(line, `jarvis call file_write '{"path":"e2e/note.txt","content":"first line\\nsecond line\\n"}'`, 'the command line');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    const result = page.getByRole('region', { name: 'Result' });
    await result.getByText('done', { exact: true }).waitFor({ state: 'attached' });
    await result.getByRole('button', { name: 'undo' }).click();
    const asked = page.getByRole('dialog', { name: 'Undo' });
    await asked.getByText('removes e2e/note.txt').waitFor();
    await asked.getByRole('button', { name: 'Undo', exact: true }).click();
    await result.getByText('undone', { exact: true }).waitFor();
    check((await result.getByRole('button', { name: 'undo' }).count()) === 0, 'it is not offered again');
    const listed = (await world.api('/call', { method: 'POST', body: { tool: 'file_list', args: { path: 'e2e' } } })).body;
    check(!JSON.stringify(listed.output ?? '').includes('note.txt'), `undo took the file back: ${JSON.stringify(listed)}`);
  });

  await world.test('what was taken back says so after a reload, and is not asked for again and again', async () => {
    const written = async (path) => (await world.api('/call', { method: 'POST', body: { tool: 'file_write', args: { path, content: 'x' } } })).body.call;
    same((await world.api(`/calls/${await written('e2e/back.txt')}/undo`, { method: 'POST' })).body.state, 'done', 'the first undo');
    const kept = await written('e2e/kept.txt');
    const asked = [];
    const count = (request) => /\/api\/calls\//.test(request.url()) && asked.push(request.url());
    page.on('request', count);
    await world.open('/');
    const row = (name) => page.locator('main li').filter({ hasText: `I made e2e/${name}` });
    // A row tells once it has been on the screen.
    for (const name of ['kept.txt', 'back.txt']) await row(name).first().scrollIntoViewIfNeeded();
    await row('back.txt').first().getByText('undone', { exact: true }).waitFor();
    check((await row('back.txt').getByRole('button', { name: 'undo' }).count()) === 0, 'it is not offered again');
    const open = row('kept.txt').first().getByRole('button', { name: 'undo' });
    await open.waitFor();
    // Somebody else takes it back: where it is on the screen it says so.
    const { seq } = (await world.api(`/history?kind=call.done&subject=${kept}&limit=1`)).body.events[0];
    await world.open(`/activity?seq=${seq}`);
    const event = page.locator(`section:has(h2:text-is("Event ${seq}"))`);
    await event.getByRole('button', { name: 'undo' }).waitFor();
    same(world.server.cli('undo', kept).code, 0, 'the undo from a terminal');
    await event.getByText('undone', { exact: true }).waitFor();
    page.off('request', count);
    const most = Math.max(...asked.map((url) => asked.filter((other) => other === url).length));
    check(most <= 8, `one call was read ${most} times`);
  });

  await world.test('the command line that a form shows does the same', async () => {
    await world.open('/tools/system_disks');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('region', { name: 'Result' }).getByText('system_disks').first().waitFor();
    const line = await page.getByRole('region', { name: 'the command' }).textContent();
    same(line, 'jarvis call system_disks', 'the command line');
    const done = world.server.cli('call', 'system_disks', '--json');
    same(done.code, 0, `exit code of the command line (${done.err})`);
  });
}
