// The import of a .env: what is kept, what is skipped and why, and that its text is nowhere afterwards.

import { check, same, until } from '../harness.mjs';
import { inNoAnswer, notOnPage, valueOf } from '../leak.mjs';

export async function importing(world) {
  const { page } = world;
  const section = page.getByRole('region', { name: 'Secrets', exact: true });
  const dialog = page.getByRole('dialog', { name: 'Import a .env' });
  const row = (name) => section.getByRole('listitem').filter({ hasText: name });
  const open = () => section.getByRole('button', { name: 'Import a .env' }).click();
  const version = async (name) => (await world.api('/secrets')).body.secrets.find((one) => one.name === name)?.version;

  await world.test('a .env is imported, and every line that is not is told with its reason', async () => {
    await world.open('/settings?secrets');
    await open();
    const go = dialog.getByRole('button', { name: 'Import', exact: true });
    check(await go.isDisabled(), 'there is nothing to import yet');
    const text = `E2E_IMPORTED=${valueOf('imported')}\nE2E_SHORT=abc\nthis line is broken\n`;
    await dialog.getByLabel('File', { exact: true }).setInputFiles({ name: '.env', mimeType: 'text/plain', buffer: Buffer.from(text) });
    await until('the file was read', async () => (await dialog.getByLabel('Text', { exact: true }).inputValue()) === text);
    await go.click();
    await dialog.getByText('1 secret kept, 2 lines skipped.').waitFor();
    await dialog.getByRole('list', { name: 'Kept' }).getByText('E2E_IMPORTED').waitFor();
    const skipped = dialog.getByRole('list', { name: 'Skipped' }).getByRole('listitem');
    same(await skipped.count(), 2, 'lines that were skipped');
    check((await skipped.nth(0).textContent()).includes('line 2') && (await skipped.nth(0).textContent()).includes('E2E_SHORT'), 'the short one is named');
    check((await skipped.nth(1).textContent()).includes('line 3'), 'the broken one is named');
    await notOnPage(page);
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await row('E2E_IMPORTED').getByText('only Jarvis’s own settings').waitFor();
    await inNoAnswer(world);
  });

  await world.test('an import leaves what is there, unless it is to replace it', async () => {
    const again = async (replace, report) => {
      await open();
      await dialog.getByLabel('Text', { exact: true }).fill(`E2E_IMPORTED=${valueOf('replaced')}`);
      if (replace) await dialog.getByLabel('Replace', { exact: true }).check();
      await dialog.getByRole('button', { name: 'Import', exact: true }).click();
      await dialog.getByText(report).waitFor();
      await dialog.getByRole('button', { name: 'Done' }).click();
      await dialog.waitFor({ state: 'detached' });
      return version('E2E_IMPORTED');
    };
    same(await again(false, '0 secrets kept, 1 line skipped.'), 1, 'its version');
    same(await again(true, '1 secret kept, 0 lines skipped.'), 2, 'its version');
    await notOnPage(page);
    await inNoAnswer(world);
  });
}
