// Settings: faults at their field, saving, what is in force afterwards; tokens.

import { check, same, until } from '../harness.mjs';

export async function settings(world) {
  const { page } = world;

  await world.test('a wrong value is told at its field and cannot be saved; a right one is saved and in force', async () => {
    await world.open('/settings');
    const minutes = page.getByLabel('Approval', { exact: true });
    await minutes.fill('5000');
    await page.getByText('a whole number from 1 to 1,440').waitFor();
    check(await page.getByRole('button', { name: 'Save', exact: true }).isDisabled(), 'it cannot be saved');
    await minutes.fill('25');
    await page.getByText('not saved').waitFor();
    await page.getByRole('radio', { name: /act on request/ }).check();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('in force at once').waitFor();
    const saved = (await world.api('/settings')).body;
    same([saved.approval_minutes, saved.autonomy.default], [25, 2], 'the settings');
    await page.getByText('act on request').first().waitFor();
    await page.reload();
    await world.live();
    await until('it is shown after a reload', async () => (await page.getByLabel('Approval', { exact: true }).inputValue()) === '25');
  });

  await world.test('what only the server can know is told at its field too, and nothing was changed', async () => {
    await world.open('/settings');
    await page.getByLabel('Folder to add').fill('/no/such/folder');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('it must be a folder that exists').waitFor();
    same((await world.api('/settings')).body.roots, [], 'the folders');
    await page.getByRole('button', { name: 'Discard' }).click();
    await page.getByText('this is what is in force').or(page.getByText('in force at once')).waitFor();
  });

  await world.test('a rule and a level go back as they came', async () => {
    await page.getByRole('button', { name: 'Add a rule' }).click();
    await page.getByText('name a capability, a target, or both').waitFor();
    await page.getByLabel('Target of rule 1').fill('postgres*');
    await page.getByLabel('Level of rule 1').selectOption('1');
    await page.getByRole('radio', { name: /act & report/ }).check();
    await page.keyboard.press('Control+s');
    await page.getByText('in force at once').waitFor();
    same((await world.api('/settings')).body.autonomy, { default: 3, rules: [{ target: 'postgres*', level: 1 }] }, 'autonomy');
  });

  await world.test('a token shows its secret once, works, and is revoked', async () => {
    await world.open('/settings');
    await page.getByRole('button', { name: 'Make a token' }).click();
    await page.getByLabel('Name', { exact: true }).fill('e2e client');
    await page.getByLabel('Ceiling').selectOption('yellow');
    await page.getByRole('button', { name: 'Make it' }).click();
    const secret = await page.locator('code').filter({ hasText: /^jrv_/ }).textContent();
    const ask = () => fetch(`${world.server.url}/api/session`, { headers: { authorization: `Bearer ${secret}` } }).then((answer) => answer.json());
    same((await ask()).ceiling, 'yellow', 'its ceiling');
    await page.getByRole('button', { name: 'I have kept it' }).click();
    check(!(await page.content()).includes(secret), 'the secret is nowhere on the page any more');
    await page.getByRole('button', { name: 'revoke e2e client' }).click();
    await page.getByRole('button', { name: 'press to revoke e2e client' }).click();
    // Grants and tokens that ended are counted in the same words, so that is not what is waited for.
    await page.getByText('Token e2e client is revoked.').waitFor();
    const after = await fetch(`${world.server.url}/api/status`, { headers: { authorization: `Bearer ${secret}` } });
    same(after.status, 401, 'the revoked token');
  });

  await world.test('the doctor says what was found', async () => {
    await page.getByText('data directory').waitFor();
  });
}
