// Who may come in: a guest with targets, the list of sessions, and the second factor with an authenticator of our own.

import { createHmac } from 'node:crypto';
import { check, same, until } from '../harness.mjs';
import { picture, violations } from '../look.mjs';
import { PASSWORD } from '../world.mjs';

/** The code that an app shows for a key, so many steps of 30 s from now. */
function codeOf(secret, steps = 0) {
  const bits = [...secret].map((one) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(one).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((eight) => Number.parseInt(eight, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac('sha1', key).update(counter).digest();
  const from = hash[19] & 15;
  return String((hash.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

export async function identity(world) {
  const { page } = world;
  const look = async (name, region) => {
    await region.scrollIntoViewIfNeeded();
    await picture(page, name);
    await page.setViewportSize({ width: 390, height: 844 });
    await region.scrollIntoViewIfNeeded();
    await page.waitForTimeout(200);
    await picture(page, `${name}-390`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    await page.setViewportSize({ width: 1366, height: 768 });
    check(wide <= 390, `${name} is ${wide} pixels wide on a phone`);
    same(await violations(page), [], `${name}: what axe finds`);
  };

  await world.test('a guest needs a target, and its token says what it may and when it ends', async () => {
    await world.open('/settings');
    const tokens = page.getByRole('region', { name: 'Tokens', exact: true });
    await tokens.getByRole('button', { name: 'Make a token' }).click();
    await tokens.getByLabel('Name', { exact: true }).fill('e2e friend');
    await tokens.getByLabel('Role').selectOption('guest');
    const make = tokens.getByRole('button', { name: 'Make it' });
    check(await make.isDisabled(), 'a guest without a target cannot be made');
    check((await tokens.getByLabel('Ceiling').count()) === 0, 'its ceiling is no question');
    await tokens.getByLabel('Targets').fill('web*, e2e/guest.txt');
    await tokens.getByLabel('Ends').selectOption('in 7 days');
    await look('token-form', tokens);
    await make.click();
    const secret = await page.locator('code').filter({ hasText: /^jrv_/ }).textContent();
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await tokens.getByText('on web*, e2e/guest.txt · 30 a minute').waitFor();
    const call = (tool, args) => fetch(`${world.server.url}/api/call`, {
      method: 'POST', headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }, body: JSON.stringify({ tool, args }),
    }).then((answer) => answer.json());
    same((await call('system_info', {})).code, 'outside_targets', 'this machine is not among its targets');
    same((await call('file_write', { path: 'e2e/guest.txt', content: 'x' })).code, 'above_ceiling', 'it is green');
    await look('token-row', tokens);
    await tokens.getByRole('button', { name: 'revoke e2e friend' }).click();
    await tokens.getByRole('button', { name: 'press to revoke e2e friend' }).click();
  });

  await world.test('open sessions are listed, and ended one by one or everywhere else', async () => {
    const opened = async () => (await fetch(`${world.server.url}/api/session`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ password: PASSWORD, bearer: true }),
    }).then((answer) => answer.json())).secret;
    const alive = async (secret) => (await fetch(`${world.server.url}/api/settings`, { headers: { authorization: `Bearer ${secret}` } })).status;
    await world.open('/settings');
    const panel = page.getByRole('region', { name: 'Session', exact: true });
    const [first, second, third] = [await opened(), await opened(), await opened()];
    await panel.getByText('this one', { exact: true }).first().waitFor();
    await until('the new ones are listed', async () => (await panel.getByText('program from 127.0.0.1').count()) >= 3);
    await look('sessions', panel);
    await panel.getByRole('button', { name: /^end the session/ }).first().click();
    await panel.getByRole('button', { name: /^press to end/ }).click();
    await until('the newest is over', async () => (await alive(third)) === 401);
    same(await alive(first), 200, 'another one');
    await panel.getByRole('button', { name: 'Sign out everywhere else' }).click();
    await until('the others are over', async () => (await alive(first)) === 401 && (await alive(second)) === 401);
    same((await world.api('/sessions')).body.sessions.length, 1, 'the own one stays');
  });

  await world.test('with the second factor on, signing in takes a code, and a recovery code turns it off', async () => {
    await world.open('/settings');
    const panel = page.getByRole('region', { name: 'Second factor', exact: true });
    await panel.getByRole('button', { name: 'Set it up' }).click();
    await panel.getByRole('img', { name: 'QR code of the key' }).waitFor();
    await look('second-factor-key', panel);
    const secret = (await panel.locator('code').first().textContent()).replaceAll(' ', '');
    await panel.getByLabel('Password').fill(PASSWORD);
    await panel.getByLabel('Code', { exact: true }).fill('000000');
    await panel.getByRole('button', { name: 'Turn it on' }).click();
    await panel.getByText('the code is not of this key').waitFor();
    await panel.getByLabel('Code', { exact: true }).fill(codeOf(secret));
    await panel.getByRole('button', { name: 'Turn it on' }).click();
    await panel.getByText('8 recovery codes left').waitFor();
    const codes = await panel.locator('li code').allTextContents();
    same(codes.length, 8, 'the recovery codes');
    await look('second-factor-codes', panel);
    await panel.getByRole('button', { name: 'I have kept them' }).click();
    check(!(await page.content()).includes(codes[0]), 'the codes are nowhere on the page any more');

    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByLabel("Operator's password").fill(PASSWORD);
    await page.getByLabel('Code', { exact: true }).fill('111111');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('the code is wrong, too old').waitFor();
    await picture(page, 'sign-in-code');
    await page.getByLabel('Code', { exact: true }).fill(codeOf(secret, 1));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await world.live();

    await world.open('/settings');
    await panel.getByRole('button', { name: 'Turn it off…' }).click();
    await panel.getByLabel('Password').fill(PASSWORD);
    await panel.getByLabel('Code', { exact: true }).fill(codes[2]);
    await panel.getByRole('button', { name: 'Turn it off', exact: true }).click();
    await panel.getByRole('button', { name: 'Set it up' }).waitFor();
    same((await world.api('/second-factor')).body.on, false, 'it is off');
  });
}
