// Asking in plain words, from the chat, the palette and the side.

import { check, until } from '../harness.mjs';

export async function talking(world) {
  const { page } = world;

  await world.test('a first visit offers something to ask; one click asks it, and the offer is gone', async () => {
    await world.open('/');
    const begin = page.locator('section[aria-label="Begin here"]');
    await begin.getByRole('button', { name: 'how is this machine?' }).click();
    await page.waitForURL(/\/chat\/conv_/);
    await page.locator('article.turn').last().getByText('system_info').first().waitFor();
    await world.open('/');
    await page.getByText('Since you looked').waitFor();
    check((await begin.count()) === 0, 'there is something better to show now');
  });

  await world.test('what was said is read in the feed from its event, and goes with the conversation', async () => {
    const said = 'how is this machine, on the whole?';
    const turn = (await world.api('/say', { method: 'POST', body: { text: said } })).body;
    await until('the turn is over', async () => (await world.api(`/turns/${turn.id}`)).body.state === 'done');
    const event = (await world.api(`/history?kind=turn.asked&subject=${turn.id}&limit=1`)).body.events[0];
    check(!event.summary.includes('whole'), `no word of a person is in a summary: ${event.summary}`);
    await world.open(`/activity?seq=${event.seq}`);
    const feed = page.getByLabel('Jarvis', { exact: true }).getByText(`“${said}”`);
    const detail = page.locator('blockquote').getByText(said);
    await feed.waitFor();
    await detail.waitFor();
    await world.api(`/conversations/${turn.conversation}`, { method: 'DELETE' });
    await feed.waitFor({ state: 'detached' });
    await world.open(`/activity?seq=${event.seq}`);
    await page.getByText('erased with its conversation').waitFor();
    check((await detail.count()) === 0, 'the words are gone');
  });

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

  await world.test('the words of a program are shown as its own, and nobody else asks them again', async () => {
    const token = (await world.api('/tokens', { method: 'POST', body: { name: 'e2e bot', ceiling: 'green' } })).body;
    const said = await fetch(`${world.server.url}/api/say`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token.secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({ text: 'how is this machine?' }),
    });
    const turn = await said.json();
    await until('the turn is over', async () => (await world.api(`/turns/${turn.id}`)).body.state === 'done');
    await world.open(`/chat/${turn.conversation}`);
    const shown = page.locator('article.turn').last();
    await shown.getByText('understood by rule').waitFor();
    await shown.getByText('A program:').waitFor({ state: 'attached' });
    await shown.getByText(`token:${token.id}`).waitFor();
    check((await shown.getByRole('button', { name: 'retry' }).count()) === 0, 'nothing that would be refused is offered');
    const again = await world.api(`/turns/${turn.id}/retry`, { method: 'POST' });
    check(again.status === 403, `the words are not the operator's: ${again.status}`);
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
