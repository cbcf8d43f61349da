// The first sign-in, by the link that the start printed; and signing in and out after that.

import { check, until } from '../harness.mjs';
import { PASSWORD } from '../world.mjs';

export async function signing(world) {
  const { page, server } = world;

  await world.test('the printed link sets the password and opens the dashboard', async () => {
    check(server.link, `the start printed no link:\n${server.output}`);
    await page.goto(server.link);
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByText('5 more characters').waitFor();
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByLabel('The same again').fill(PASSWORD);
    await page.getByRole('button', { name: 'Set password and begin' }).click();
    await world.live();
    check(new URL(page.url()).hash === '', 'the code left the address');
  });

  await world.test('signing out shows the sign-in, a wrong password is told, the right one lets in', async () => {
    await world.open('/settings');
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    const field = page.getByLabel("Operator's password");
    await field.fill('not the password');
    await field.press('Enter');
    await page.getByText('the password is wrong').waitFor();
    await field.fill(PASSWORD);
    await field.press('Enter');
    await world.live();
    const session = await until('the session is known', async () => (await world.api('/session')).body);
    check(session.operator, 'the operator is signed in');
  });
}
