// Moving between the open cards on the screen by keyboard. The selected card is the focused one, so a key can never
// decide a card that slid under it, and nothing is decided before a card was selected.

import type { Shortcut } from '../keys.svelte';

const cards = () => [...document.querySelectorAll<HTMLElement>('[data-approval]')];

function selected(list: HTMLElement[]): number {
  return list.findIndex((card) => card.contains(document.activeElement));
}

function move(step: number): false | void {
  const list = cards();
  if (list.length === 0) return false;
  const at = selected(list);
  const next = at === -1 ? 0 : Math.min(list.length - 1, Math.max(0, at + step));
  list[next]!.focus();
  list[next]!.scrollIntoView({ block: 'nearest' });
}

/** Without a selection, the first press of A, D or G selects the first card and does no more. */
const select = () => (selected(cards()) === -1 ? move(0) : false);

export const cardKeys: Shortcut[] = [
  { key: 'j', word: 'next approval', run: () => move(1) },
  { key: 'k', word: 'previous approval', run: () => move(-1) },
  { key: 'a', word: 'approve the selected card', run: select },
  { key: 'd', word: 'deny the selected card, with a word', run: select },
  { key: 'g', word: 'give a grant for the selected card', run: select },
];
