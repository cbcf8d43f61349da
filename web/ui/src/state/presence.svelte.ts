// What Jarvis is doing, in one word and one line, from what is really running.

import { SvelteMap } from 'svelte/reactivity';
import { onEvent } from '../stream/hub';
import { plural } from '../text/format';
import { approvals } from './approvals.svelte';
import { status } from './status.svelte';
import { turns } from './turns.svelte';

export type Doing = 'idle' | 'thinking' | 'acting' | 'waiting' | 'stopped' | 'unknown';

/** Calls above green between intent and outcome. */
const underWay = new SvelteMap<string, string>();

onEvent((event) => {
  if (event.kind === 'call.intent') underWay.set(event.subject, event.tool ?? 'a tool');
  else if (event.kind.startsWith('call.')) underWay.delete(event.subject);
});

class Presence {
  doing = $derived<Doing>(this.#doing());
  line = $derived(this.#line());

  #doing(): Doing {
    if (status.link === 'lost' || status.info === null) return 'unknown';
    if (status.stopped) return 'stopped';
    const phases = [...turns.phase.values()];
    if (underWay.size > 0 || phases.includes('acting')) return 'acting';
    if (phases.includes('thinking')) return 'thinking';
    return approvals.pending.length > 0 || phases.includes('waiting') ? 'waiting' : 'idle';
  }

  #line(): string {
    const waiting = approvals.pending.length;
    switch (this.doing) {
      case 'unknown': return status.link === 'lost' ? 'no answer from the server' : 'connecting';
      case 'stopped': return status.info?.kill === 'all' ? 'the kill switch refuses everything' : 'the kill switch refuses every change';
      case 'acting': return [...underWay.values()].join(', ') || 'carrying out calls';
      case 'thinking': return plural(turns.phase.size, 'turn') + ' in progress';
      case 'waiting': return waiting > 0 ? plural(waiting, 'approval') : 'a turn waits for an answer';
      case 'idle': return status.info?.model ? `model ${status.info.model}` : 'no model: understood by rules';
    }
  }
}

export const presence = new Presence();
