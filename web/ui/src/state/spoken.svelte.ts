// What was said, by event. Only the body of an event holds it, and that is erased with its conversation; so it is read
// for the lines that are on the screen, and forgotten here as soon as anything is erased.

import { SvelteMap } from 'svelte/reactivity';
import { saidIn } from '../activity/told';
import { api } from '../api';
import { onEvent } from '../stream/hub';
import { coalesce } from './coalesce';

const KEPT = 200;

class Spoken {
  words = new SvelteMap<number, string>();

  async read(seq: number): Promise<void> {
    if (this.words.has(seq)) return;
    await coalesce(`spoken ${seq}`, async () => {
      try {
        const found = saidIn(await api.event(seq));
        if (this.words.size >= KEPT) this.words.clear();
        this.words.set(seq, found);
      } catch { /* the line stands without it */ }
    });
  }

  constructor() {
    onEvent((event) => {
      if (event.kind !== 'conversation.deleted' && event.kind !== 'body.erased') return;
      const known = [...this.words.keys()];
      this.words.clear();
      for (const seq of known) void this.read(seq);
    });
  }
}

export const spoken = new Spoken();
