// The second factor: whether it is on, the key that is being set up, and the recovery codes while they are shown.

import { api, asProblem } from '../api';
import { coalesce } from '../state/coalesce';
import { session } from '../state/session.svelte';
import { onEvent } from '../stream/hub';
import type { FactorInfo, FactorProposal, Problem } from '../wire';

class Factor {
  info = $state.raw<FactorInfo | null>(null);
  problem = $state.raw<Problem | null>(null);
  proposal = $state.raw<FactorProposal | null>(null);
  codes = $state.raw<string[]>([]);

  load(): Promise<void> {
    return coalesce('factor', async () => {
      try {
        this.info = await api.factor();
        this.problem = null;
        // The page that signs in next asks for a code at once, or not.
        if (session.info) session.info = { ...session.info, second_factor: this.info.on };
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  async propose(): Promise<void> {
    this.proposal = await api.proposeFactor();
  }

  async turnOn(password: string, code: string): Promise<void> {
    if (!this.proposal) return;
    this.codes = (await api.factorOn({ password, code, secret: this.proposal.secret })).recovery;
    this.proposal = null;
    await this.load();
  }

  async turnOff(password: string, code: string): Promise<void> {
    await api.factorOff({ password, code });
    this.codes = [];
    await this.load();
  }

  /** The key and the codes go with the page. */
  forget(): void {
    this.proposal = null;
    this.codes = [];
  }

  constructor() {
    onEvent((event) => {
      if (this.info && event.kind === 'operator.set') void this.load();
    });
  }
}

export const factor = new Factor();
