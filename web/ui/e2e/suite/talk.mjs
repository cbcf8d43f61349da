// Asking in plain words, from the chat, the palette and the side.

import { check, until } from '../harness.mjs';

export async function talking(world) {
  const { page } = world;

  await world.test('“how is this machine?” is answered with the call that was made and how it was understood', async () => {
    await world.open('/chat');
    const composer = page.getByRole('main').getByLabel('Ask Jarvis');
    await composer.fill('how is this machine?');
    await composer.press('Enter');
    const turn = page.locator('article.turn').last();
    await turn.getByText('system_info').first().waitFor();
    await turn.getByText('understood by rule').waitFor();
    check(/\/chat\/conv_/.test(page.url()), 'the conversation has an address');
  });

  await world.test('what is typed into the palette and names nothing is asked of Jarvis', async () => {
    await world.open('/');
    await page.keyboard.press('Control+k');
    const field = page.getByRole('combobox', { name: 'Ask, or find anything' });
    await field.fill('how full are the disks?');
    await page.getByRole('option', { selected: true }).getByText('Ask Jarvis').waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/chat\/conv_/);
    await page.getByText('system_disks').first().waitFor();
  });

  await world.test('the palette finds a tool by a few letters, shows its tier, and opens its form', async () => {
    await world.open('/');
    await page.keyboard.press('/');
    const field = page.getByRole('combobox', { name: 'Ask, or find anything' });
    await field.fill('fwrite');
    const first = page.getByRole('option', { selected: true });
    await first.getByText('file_write').waitFor();
    await first.getByText('yellow').waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/tools\/file_write$/);
  });

  await world.test('letters typed before the palette is there are not lost', async () => {
    await world.open('/');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('doctor settings');
    await until('all letters are there', async () => (await page.getByRole('combobox').inputValue()) === 'doctor settings');
    await page.keyboard.press('Escape');
    await until('the palette is gone', async () => (await page.locator('dialog[open]').count()) === 0);
  });
}
