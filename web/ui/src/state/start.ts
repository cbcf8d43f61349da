// What is loaded once somebody is signed in, in the order in which it is needed on the screen.

import { join, onReset } from '../stream/hub';
import { activity } from './activity.svelte';
import { approvals } from './approvals.svelte';
import { doubts } from './doubts.svelte';
import { estate } from './estate.svelte';
import { status } from './status.svelte';

export interface Stage { word: string; run: () => Promise<unknown> }

/** The boot list. Each stage is a real request; the words appear as they finish. */
export const stages: Stage[] = [
  { word: 'status', run: async () => { await status.load(); join(status.head); } },
  { word: 'approvals', run: () => approvals.load() },
  { word: 'history', run: () => activity.load() },
];

/** Not waited for: the frame shows skeletons until these are there. */
export function loadEstate(): void {
  void estate.load();
  void doubts.load().catch(() => undefined);
}

onReset(() => location.reload());
