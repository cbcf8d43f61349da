// Approvals: asked by a form or in words, decided by one key, carried out exactly.

import { check, same, until } from '../harness.mjs';
import { names, runContainer, runs, startedAt } from '../docker.mjs';
import { picture } from '../look.mjs';

const made = {};
const fetching = { method: 'POST', body: { tool: 'http_fetch', args: { url: 'https://example.org/e2e' } } };

export async function denying(world) {
  const { page } = world;

  await world.test('a denial carries its word back, and nothing runs', async () => {
    const asked = (await world.api('/call', fetching)).body;
    same(asked.state, 'waiting', `a fetch of an unlisted host (${asked.rule})`);
    await world.open('/approvals');
    const card = page.locator(`[data-approval="${asked.approval}"]`);
    await card.waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('d');
    await page.getByLabel('Why not').fill('not that host, please');
    await page.keyboard.press('Enter');
    await card.waitFor({ state: 'detached' });
    await page.getByText('“not that host, please”').first().waitFor();
    const decided = (await world.api(`/approvals/${asked.approval}`)).body;
    same([decided.state, decided.because], ['denied', 'not that host, please'], 'the card');
  });

  await world.test('a card says that a client’s model chose after it had read strangers, and which values nothing vouches for', async () => {
    const token = (await world.api('/tokens', { method: 'POST', body: { name: 'e2e ide', ceiling: 'orange' } })).body.secret;
    const settings = (await world.api('/settings')).body;
    await world.api('/settings', { method: 'PUT', body: { ...settings, mcp_hold_seconds: 0 } });
    const write = { path: 'e2e/led.txt', content: 'as the note says' };
    const wrote = await world.mcp(token, 'file_write', write);
    same(wrote.isError, false, `what it writes by itself (${JSON.stringify(wrote)})`);
    same((await world.mcp(token, 'file_read', { path: write.path })).isError, false, 'reading');
    const asked = JSON.parse((await world.mcp(token, 'file_write', { ...write, content: 'more of it' })).content[1].text).approval_id;
    await world.open('/approvals');
    const card = page.locator(`[data-approval="${asked}"]`);
    await card.getByText('by the client’s own model, which has read what strangers may have written').waitFor();
    await card.getByText('content: more of it').waitFor();
    await card.getByText('path: e2e/led.txt').waitFor();
    await picture(page, 'card-led-hud-1366x768');
    await page.setViewportSize({ width: 390, height: 844 });
    await picture(page, 'card-led-hud-390x844');
    await page.setViewportSize({ width: 1366, height: 768 });
    await world.api(`/approvals/${asked}/deny`, { method: 'POST', body: {} });
    await world.api('/settings', { method: 'PUT', body: settings });
  });

  await world.test('of a plan a step can be left out, and only the others run', async () => {
    const steps = [
      { tool: 'http_fetch', args: { url: 'https://example.org/plan' } },
      { tool: 'file_write', args: { path: 'e2e/plan.txt', content: 'planned' } },
    ];
    const asked = (await world.api('/plan', { method: 'POST', body: { steps } })).body;
    same([asked.state, asked.steps?.length], ['pending', 2], 'the plan waits');
    await world.open('/approvals');
    const card = page.locator(`[data-approval="${asked.id}"]`);
    await card.getByLabel('carry out step 1').uncheck();
    await card.getByLabel('carry out step 2').uncheck();
    await card.getByText('Nothing is left to approve').waitFor();
    check(await card.getByRole('button', { name: /^Approve 0 of 2/ }).isDisabled(), 'nothing can be approved then');
    await card.getByLabel('carry out step 2').check();
    await picture(page, 'plan-left-out-hud-1366x768');
    await card.getByRole('button', { name: /^Approve 1 of 2/ }).click();
    await card.waitFor({ state: 'detached' });
    const decided = await until('the plan is done', async () => {
      const now = (await world.api(`/approvals/${asked.id}`)).body;
      return now.state === 'done' && now;
    });
    same(decided.steps.map((step) => step.state), ['denied', 'done'], 'the steps');
    same(JSON.parse(world.server.cli('call', 'file_read', '{"path":"e2e/plan.txt"}', '--json').out).state, 'done', 'the file is there');
  });
}

/** Before anything is asked, because Jarvis remembers for a while which containers there are. */
export function makeContainers() {
  for (const what of ['again', 'gone', 'stays', 'found', 'one', 'two']) made[what] = runContainer(what);
}

export async function docker(world) {
  const { page } = world;

  await world.test('a yellow restart asked for in words runs at once and really happened', async () => {
    const name = made.again;
    const before = startedAt(name);
    await world.open('/chat');
    const composer = page.getByRole('main').getByLabel('Ask Jarvis');
    await composer.fill(`restart ${name}`);
    await composer.press('Enter');
    const turn = page.locator('article.turn').last();
    await turn.getByText('docker_restart').first().waitFor();
    await until('the turn is over', async () => (await turn.getByText('understood by rule').count()) > 0, 30_000);
    check(startedAt(name) !== before, 'the container began anew');
  });

  await world.test('a red removal waits for approval; approved by keyboard it removes exactly that container', async () => {
    const name = made.gone;
    const others = names().filter((one) => one !== name && one.startsWith('e2e-'));
    await world.open(`/tools/docker_remove?container=${name}`);
    await page.locator('section[aria-label="What would happen"]').getByText('asks for approval').waitFor();
    await page.locator('form').getByRole('button', { name: 'Ask for approval' }).focus();
    await page.keyboard.press('Enter');
    const card = page.locator('[data-approval]').filter({ hasText: name });
    await card.waitFor();
    check(names().includes(name), 'nothing was removed before the yes');
    await page.keyboard.press('3');
    await page.waitForURL(/\/approvals$/);
    await card.waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('a');
    check(names().includes(name), 'one press of the key approves nothing red');
    await page.keyboard.press('a');
    await card.waitFor({ state: 'detached', timeout: 30_000 });
    await until('the container is gone', () => !names().includes(name), 30_000);
    const left = names();
    check(others.every((one) => left.includes(one)), 'and it alone');
  });

  await world.test('what a turn stopped is shown before and started again as one', async () => {
    const [one, two] = [made.one, made.two];
    await world.open('/chat');
    const composer = page.getByRole('main').getByLabel('Ask Jarvis');
    await composer.fill(`stop ${one} and ${two}`);
    await composer.press('Enter');
    const card = page.locator('main [data-approval]').filter({ hasText: two });
    await card.waitFor();
    const open = (await world.api('/approvals')).body.approvals.find((asked) => JSON.stringify(asked).includes(two));
    same((await world.api(`/approvals/${open.id}/approve`, { method: 'POST', body: {} })).status, 200, 'the yes');
    await until('both are stopped', () => !runs(one) && !runs(two), 30_000);
    const turn = page.locator('article.turn').last();
    await turn.getByRole('button', { name: 'undo all 2' }).click();
    const dialog = page.getByRole('dialog', { name: 'Undo' });
    for (const name of [one, two]) await dialog.locator('section').filter({ hasText: name }).waitFor();
    await picture(page, 'undo-turn-hud-1366x768');
    await page.setViewportSize({ width: 390, height: 844 });
    await picture(page, 'undo-turn-hud-390x844');
    await page.setViewportSize({ width: 1366, height: 768 });
    check(!runs(one) && !runs(two), 'showing it starts nothing');
    await dialog.getByRole('button', { name: 'Undo', exact: true }).click();
    await until('both run again', () => runs(one) && runs(two), 30_000);
    await dialog.waitFor({ state: 'detached' });
    await until('it is not offered again', async () => (await turn.getByRole('button', { name: 'undo all 2' }).count()) === 0);
  });

  await world.test('a removal that was denied leaves the container as it was', async () => {
    const name = made.stays;
    const before = startedAt(name);
    await world.open('/chat');
    const composer = page.getByRole('main').getByLabel('Ask Jarvis');
    await composer.fill(`remove ${name}`);
    await composer.press('Enter');
    const card = page.locator('main [data-approval]').filter({ hasText: name });
    await card.waitFor();
    await card.getByRole('button', { name: 'Deny' }).click();
    await page.getByLabel('Why not').fill('it is needed');
    await page.keyboard.press('Enter');
    await card.waitFor({ state: 'detached' });
    check(names().includes(name) && startedAt(name) === before, 'it runs on');
  });

  await world.test('the palette narrows to one container and opens a tool with it filled in', async () => {
    const name = made.found;
    await world.open('/');
    await page.getByText(name).first().waitFor();
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill(name);
    await page.getByRole('option', { selected: true }).getByText('container').first().waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('combobox', { name: `What to do with ${name}` }).fill('logs');
    await page.getByRole('option', { selected: true }).getByText('docker_logs').waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(new RegExp(`/tools/docker_logs\\?container=${name}$`));
    await page.locator('form').getByRole('button', { name: 'Run', exact: true }).click();
    await page.getByRole('region', { name: 'Result' }).getByText('ready').waitFor();
  });
}
