// Grants: tried on the past, given from a card, counted, taken back.

import { check, same, until } from '../harness.mjs';
import { picture, violations } from '../look.mjs';

const path = 'e2e/granted.txt';

export async function grants(world) {
  const { page, server } = world;
  const write = () => {
    const { code, out, err } = server.cli('call', 'file_write', JSON.stringify({ path, content: 'again' }), '--json');
    return { code, err, answer: JSON.parse(out || 'null') };
  };
  /** The next one then has the same target again: a file that is not there. */
  const writeAndUndo = (what) => {
    const { code, err, answer } = write();
    same(code, 0, `${what} (${err})`);
    same(server.cli('undo', answer.call).code, 0, `the undo of ${what}`);
    return answer;
  };
  const asked = (what) => {
    const { code, err, answer } = write();
    same(code, 3, `${what} waits (${err})`);
    return answer.approval;
  };
  const deny = (id) => world.api(`/approvals/${id}/deny`, { method: 'POST', body: { because: 'not now' } });
  const open = async (id, where) => {
    await world.open('/approvals', where);
    const card = where.locator(`[data-approval="${id}"]`);
    await card.getByRole('button', { name: 'Grant…', exact: true }).click();
    return { card, dialog: where.getByRole('dialog', { name: 'Give a grant' }) };
  };
  const section = page.getByRole('region', { name: 'Grants', exact: true });

  await world.test('a grant is tried on the past before it is given, and the same call then runs without being asked', async () => {
    for (const what of ['the first write', 'the second write']) writeAndUndo(what);
    const { card, dialog } = await open(asked('a third identical write'), page);
    const words = async (holds) => until(`the words hold ${holds}`, async () => (await dialog.locator('.terms').textContent()).includes(holds));
    await words('called by this machine (local) · arguments exactly as here');
    await dialog.getByText(/It would have answered 1 call of the newest \d+ question/).waitFor();
    await dialog.getByText('undecided').waitFor();
    await dialog.getByLabel('Any arguments', { exact: true }).check();
    await words('any arguments');
    await dialog.getByLabel('Any arguments', { exact: true }).uncheck();
    const give = dialog.getByRole('button', { name: 'Give the grant' });
    await dialog.getByLabel('Calls', { exact: true }).fill('0');
    await dialog.getByText('a whole number from 1 to 1,000').waitFor();
    check(await give.isDisabled(), 'it cannot be given for no call');
    await dialog.getByLabel('Calls', { exact: true }).fill('5');
    await dialog.getByLabel('How long', { exact: true }).selectOption('8 h');
    same((await world.api('/grants')).body.grants, [], 'nothing was given by looking');
    await dialog.getByLabel('approve this one, too').uncheck();
    await until('these terms were tried', () => give.isEnabled());
    await give.click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByText('The grant is given: 5 calls at most').waitFor();
    await card.waitFor();
    const { rule } = writeAndUndo('the granted write');
    check(rule.startsWith('granted by grant_'), `it ran by the grant: ${rule}`);
  });

  await world.test('a grant counts what it let through, and taken back it lets nothing through', async () => {
    await world.open('/approvals');
    await page.getByRole('link', { name: '1 grant is live' }).click();
    await section.getByText('1 of 5 used').waitFor();
    await section.getByText(/called by local · .*e2e\/granted\.txt/).waitFor();
    await section.getByRole('button', { name: 'revoke the grant of file_write' }).click();
    await section.getByRole('button', { name: 'press to revoke the grant of file_write' }).click();
    await section.getByText('1 ended').waitFor();
    await section.getByText('No grant is live').waitFor();
    asked('the same write');
  });

  await world.test('a grant that was denied before is a warning; its dialog fits a phone, and axe finds nothing', async () => {
    const waiting = asked('the write');
    await deny(waiting);
    // Whoever asked fetches the no; the next one is a new question.
    same(write().code, 2, 'the denied write');
    const again = asked('the next write');
    for (const [width, height] of [[1366, 768], [390, 844]]) {
      const context = await world.watch.context(world.browser, { viewport: { width, height }, storageState: await world.context.storageState() });
      const other = await context.newPage();
      const { dialog } = await open(again, other);
      await dialog.getByText(/It would have answered 2 calls of the newest \d+ questions/).waitFor();
      await dialog.getByText('1 of them was denied.').waitFor();
      await picture(other, `grant-hud-${width}x${height}`);
      const found = await violations(other);
      check(found.length === 0, found.join('\n'));
      const past = await dialog.evaluate((box) => [...box.querySelectorAll('button, input, select, p, li')].filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 80)));
      same(past, [], `past the right edge at ${width}`);
      await other.keyboard.press('Escape');
      await dialog.waitFor({ state: 'detached' });
      same(await other.locator('dialog').count(), 0, 'dialogs that were left behind');
      const card = other.locator(`[data-approval="${again}"]`);
      await card.focus();
      await other.keyboard.press('g');
      // However fast the keys come, none is lost on a dialog that is about to go.
      await dialog.waitFor();
      await other.keyboard.press('Escape');
      await card.focus();
      await other.keyboard.press('g');
      await dialog.waitFor();
      await dialog.getByRole('button', { name: 'Cancel' }).focus();
      // The keys of the card behind decide nothing while the dialog stands.
      await other.keyboard.press('a');
      await other.keyboard.press('Enter');
      await dialog.waitFor({ state: 'detached' });
      same((await world.api(`/approvals/${again}`)).body.state, 'pending', 'the card');
      await context.close();
    }
    await deny(again);
  });
}
