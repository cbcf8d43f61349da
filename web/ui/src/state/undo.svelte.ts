// Whether calls can still be taken back. What is kept with a turn, a card or an event tells only that a call could be;
// the call itself knows whether somebody has done so.

import { SvelteMap } from 'svelte/reactivity';
import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import { coalesce } from './coalesce';

/** `gone`: the call is not there for this reader. */
export type Standing = 'open' | 'undone' | 'gone';

class Undo {
  standing = new SvelteMap<string, Standing>();
  #shown = new Map<string, number>();

  /** Keeps the standing of a call that is on the screen; answers with how to stop. */
  watch(call: string): () => void {
    this.#shown.set(call, (this.#shown.get(call) ?? 0) + 1);
    if (!this.standing.has(call)) void this.look(call);
    return () => {
      const left = (this.#shown.get(call) ?? 1) - 1;
      if (left > 0) this.#shown.set(call, left);
      else this.#forget(call);
    };
  }

  async look(call: string): Promise<void> {
    await coalesce(`undo ${call}`, async () => {
      try {
        this.standing.set(call, (await api.callNow(call)).undoable ? 'open' : 'undone');
      } catch (thrown) {
        // Where it cannot be read now, the link stands: the server decides when it is used.
        this.standing.set(call, asProblem(thrown).status === 404 ? 'gone' : 'open');
      }
    });
  }

  #forget(call: string): void {
    this.#shown.delete(call);
    this.standing.delete(call);
  }

  constructor() {
    // An event does not name the call that it took back, so those on the screen are looked at.
    onEvent((event) => {
      if (event.kind !== 'call.done') return;
      for (const call of this.#shown.keys()) if (this.standing.get(call) === 'open') void this.look(call);
    });
  }
}

export const undo = new Undo();
