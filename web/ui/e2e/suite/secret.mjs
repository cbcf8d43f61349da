// Secrets: kept, changed, used for the model, removed; what was typed is nowhere afterwards.

import { check, same, until } from '../harness.mjs';
import { inNoAnswer, notOnPage, valueOf } from '../leak.mjs';
import { picture, violations } from '../look.mjs';

export async function secrets(world) {
  const { page } = world;
  const section = page.getByRole('region', { name: 'Secrets', exact: true });
  const adding = page.getByRole('dialog', { name: 'Keep a secret' });
  const row = (name) => section.getByRole('listitem').filter({ hasText: name });
  const info = async (name) => (await world.api('/secrets')).body.secrets.find((one) => one.name === name);
  const add = async () => {
    await section.getByRole('button', { name: 'Keep a secret' }).click();
    await adding.waitFor();
  };

  await world.test('a secret is kept, and its value is nowhere afterwards', async () => {
    await world.open('/settings?secrets');
    await section.getByText('No secret yet').waitFor();
    await section.getByText('The key of the vault:').waitFor();
    await add();
    const value = adding.getByLabel('Value', { exact: true });
    await adding.getByLabel('Name', { exact: true }).fill('e2e token');
    await adding.getByText('1 to 64 of A-Z').waitFor();
    await adding.getByRole('button', { name: 'Keep it' }).click();
    await adding.getByText('needed').waitFor();
    await value.fill('short');
    await adding.getByText('at least 8 bytes; there are 5').waitFor();
    check(await adding.getByRole('button', { name: 'Keep it' }).isDisabled(), 'it cannot be kept like this');
    await adding.getByLabel('Name', { exact: true }).fill('e2e-token');
    same([await value.getAttribute('type'), await value.getAttribute('autocomplete')], ['password', 'new-password'], 'the field');
    await value.fill(valueOf('first'));
    await adding.getByRole('button', { name: 'show what is typed' }).click();
    same(await value.getAttribute('type'), 'text', 'the field that is shown');
    await adding.getByLabel('Note', { exact: true }).fill('reads the releases');
    await adding.getByText('only Jarvis’s own settings').waitFor();
    await adding.getByRole('button', { name: 'Add a tool' }).click();
    await adding.getByLabel('Tool 1').fill('http_fetch');
    await adding.getByText('name a tool and a target').waitFor();
    await adding.getByLabel('Target 1').fill('api.github.com');
    await page.keyboard.press('Enter');
    await adding.waitFor({ state: 'detached' });
    await row('e2e-token').getByText('http_fetch → api.github.com').waitFor();
    await row('e2e-token').getByText('reads the releases').waitFor();
    const { name, note, uses, version } = await info('e2e-token');
    same({ name, note, uses, version }, { name: 'e2e-token', note: 'reads the releases', uses: [{ tool: 'http_fetch', target: 'api.github.com' }], version: 1 }, 'what is known of it');
    await notOnPage(page);
    await inNoAnswer(world);
  });

  await world.test('what was typed and not kept goes with its dialog', async () => {
    await add();
    await adding.getByLabel('Value', { exact: true }).fill(valueOf('dropped'));
    await page.keyboard.press('Escape');
    await adding.waitFor({ state: 'detached' });
    await notOnPage(page);
    await add();
    same(await adding.getByLabel('Value', { exact: true }).inputValue(), '', 'the next value');
    await adding.getByLabel('Name', { exact: true }).fill('e2e-token');
    await adding.getByText('is kept already').waitFor();
    await adding.getByRole('button', { name: 'Cancel' }).click();
    await adding.waitFor({ state: 'detached' });
  });

  await world.test('a secret is changed: what is left out stays, and a pasted key keeps its lines', async () => {
    const dialog = page.getByRole('dialog', { name: 'Secret e2e-token' });
    const key = `-----BEGIN E2E KEY-----\n${valueOf('second')}\n-----END E2E KEY-----\n`;
    const change = () => row('e2e-token').getByRole('button', { name: 'change e2e-token' }).click();
    await change();
    const value = dialog.getByLabel('Value', { exact: true });
    same([await value.inputValue(), await value.getAttribute('placeholder')], ['', 'stays as it is'], 'the value');
    check(await dialog.getByRole('button', { name: 'Save' }).isDisabled(), 'nothing is changed yet');
    await dialog.getByLabel('Note', { exact: true }).fill('reads the issues');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'detached' });
    await row('e2e-token').getByText('reads the issues').waitFor();
    same((await info('e2e-token')).version, 1, 'its version');
    await change();
    await value.evaluate((field, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', text);
      field.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    }, key);
    await until('there are several lines', async () => (await value.evaluate((field) => field.tagName)) === 'TEXTAREA');
    same(await value.inputValue(), key, 'the pasted key');
    check(await dialog.getByRole('button', { name: 'one line' }).isDisabled(), 'its lines cannot be lost');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'detached' });
    await row('e2e-token').getByText('version 2').waitFor();
    const { note, uses, version } = await info('e2e-token');
    same({ note, uses, version }, { note: 'reads the issues', uses: [{ tool: 'http_fetch', target: 'api.github.com' }], version: 2 }, 'what is known of it');
    await notOnPage(page);
    await inNoAnswer(world);
  });

  await world.test('the key of the model is kept beside its field, which then refers to it', async () => {
    await page.getByRole('button', { name: 'Connect a model' }).click();
    await page.getByRole('button', { name: 'keep a key…' }).click();
    same(await adding.getByLabel('Name', { exact: true }).inputValue(), 'model-key', 'the proposed name');
    await adding.getByLabel('Value', { exact: true }).fill(valueOf('model'));
    await page.keyboard.press('Enter');
    await adding.waitFor({ state: 'detached' });
    same(await page.getByLabel('Key', { exact: true }).inputValue(), 'secret://model-key', 'the reference');
    check(!(await page.getByText('a reference, never the key itself').isVisible()), 'it is right');
    same((await world.api('/settings')).body.model ?? null, null, 'nothing was saved with it');
    await page.getByRole('button', { name: 'Discard' }).click();
    await notOnPage(page);
    await inNoAnswer(world);
  });

  await world.test('the list and the dialogs fit a phone, go by keyboard, and axe finds nothing', async () => {
    for (const [width, height] of [[1366, 768], [390, 844]]) {
      const context = await world.watch.context(world.browser, { viewport: { width, height }, storageState: await world.context.storageState() });
      const other = await context.newPage();
      await world.open('/settings?secrets', other);
      const there = other.getByRole('region', { name: 'Secrets', exact: true });
      await there.getByText('e2e-token').first().waitFor();
      const look = async (name) => {
        await picture(other, `${name}-hud-${width}x${height}`);
        const found = await violations(other);
        check(found.length === 0, found.join('\n'));
        const past = await other.evaluate(() => [...(document.querySelector('dialog[open]') ?? document.querySelector('main')).querySelectorAll('button, input, textarea, p, li')].filter((one) => !one.closest('.unseen') && one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 80)));
        same(past, [], `past the right edge at ${width}`);
      };
      await there.evaluate((box) => box.scrollIntoView());
      await look('secrets');
      const opener = there.getByRole('button', { name: 'Keep a secret' });
      await opener.focus();
      await other.keyboard.press('Enter');
      const dialog = other.getByRole('dialog', { name: 'Keep a secret' });
      await dialog.waitFor();
      same(await other.evaluate(() => document.activeElement.id), await dialog.getByLabel('Name', { exact: true }).getAttribute('id'), 'what has the focus');
      await dialog.getByLabel('Value', { exact: true }).fill('short');
      await dialog.getByRole('button', { name: 'several lines' }).press('Enter');
      await until('the several lines have the focus', async () => other.evaluate(() => document.activeElement.tagName === 'TEXTAREA'));
      await dialog.getByRole('button', { name: 'Add a tool' }).press('Enter');
      await until('the new row has the focus', async () => other.evaluate(() => document.activeElement.getAttribute('aria-label') === 'Tool 1'));
      await other.keyboard.type('http_fetch');
      await dialog.getByRole('button', { name: 'Keep it' }).press('Enter');
      await dialog.getByText('needed').waitFor();
      await until('the first that is wrong has the focus', async () => other.evaluate(() => document.activeElement.getAttribute('aria-invalid') === 'true'));
      await look('secret');
      await other.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      await until('the focus is where it was', async () => opener.evaluate((one) => one === document.activeElement));
      await there.getByRole('button', { name: 'Import a .env' }).press('Enter');
      const env = other.getByRole('dialog', { name: 'Import a .env' });
      await env.getByLabel('Text', { exact: true }).fill('E2E_SHORT=abc\nbroken\n');
      await look('secret-import');
      await env.getByRole('button', { name: 'Import', exact: true }).click();
      await env.getByText('0 secrets kept, 2 lines skipped.').waitFor();
      await look('secret-imported');
      await other.keyboard.press('Escape');
      await context.close();
    }
  });

  await world.test('a secret is removed by two presses, and the first says what that ends', async () => {
    for (const name of ['e2e-token', 'model-key']) {
      await row(name).getByRole('button', { name: `remove ${name}` }).click();
      await row(name).getByText(`Whatever refers to secret://${name} stops working`).waitFor();
      check(await info(name), 'one press removes nothing');
      await row(name).getByRole('button', { name: `press to remove ${name}` }).click();
      await row(name).waitFor({ state: 'detached' });
      same(await info(name), undefined, 'the secret');
    }
    await inNoAnswer(world);
  });
}
