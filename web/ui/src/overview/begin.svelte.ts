// Whether this is a Jarvis to whom nobody has said anything yet.

import { activity } from '../state/activity.svelte';

class Begin {
  /** Only the whole history can tell, and a short one is read whole. */
  shown = $derived(activity.loaded && activity.events.at(-1)?.seq === 1 && !activity.events.some((event) => event.kind === 'turn.asked'));
}

export const begin = new Begin();
