// A schedule that somebody wants to make out of a call: its form opens on the page of jobs.

import { router } from '../router.svelte';
import type { Args } from '../wire';

class Scheduling {
  wanted = $state.raw<{ tool: string; args: Args } | null>(null);

  begin(tool: string, args: Args): void {
    this.wanted = { tool, args };
    router.go('/jobs');
  }

  /** What was wanted, once. */
  take(): { tool: string; args: Args } | null {
    const { wanted } = this;
    this.wanted = null;
    return wanted;
  }
}

export const scheduling = new Scheduling();
