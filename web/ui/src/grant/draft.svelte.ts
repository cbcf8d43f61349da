// One grant as it is being made out of a question: what is proposed, what of it is loosened, and what exactly these
// terms would have answered.

import { api, asProblem } from '../api';
import { grants } from '../state/grants.svelte';
import type { GrantBody, GrantInfo, GrantTrial, Problem } from '../wire';
import { callsFault, DAY, loosened } from './terms';

export class GrantDraft {
  proposal = $state.raw<GrantBody | null>(null);
  anyCaller = $state(false);
  anyArgs = $state(false);
  /** Nothing while the field is empty. */
  calls = $state<number | null>(10);
  minutes = $state(DAY);
  /** Why it could not be proposed or tried. */
  problem = $state.raw<Problem | null>(null);
  /** Why it was not given. */
  failed = $state.raw<Problem | null>(null);
  busy = $state(false);
  #tried = $state.raw<{ terms: GrantBody; trial: GrantTrial } | null>(null);
  #round = $state(0);

  terms = $derived(this.proposal ? loosened(this.proposal, { anyCaller: this.anyCaller, anyArgs: this.anyArgs }) : null);
  fault = $derived(callsFault(this.calls));
  trial = $derived(this.#tried?.trial ?? null);
  /** Whether the trial is about the terms that stand there. */
  current = $derived(this.#tried !== null && this.#tried.terms === this.terms);
  /** Nothing is given before it was seen what it would have answered. */
  ready = $derived(this.current && this.fault === undefined);

  constructor(readonly approval: string) {}

  async load(): Promise<void> {
    this.problem = null;
    try {
      this.proposal = await api.proposedGrant(this.approval);
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
  }

  /** For an effect: tries the terms, and anew when they change. */
  watch(): () => void {
    void this.#round;
    const { terms } = this;
    const request = new AbortController();
    if (terms) void this.#try(terms, request.signal);
    return () => request.abort();
  }

  again(): void {
    if (this.proposal) this.#round += 1;
    else void this.load();
  }

  /** The grant, or nothing where it was not given. */
  async give(): Promise<GrantInfo | null> {
    const { terms, calls, minutes } = this;
    if (!terms || calls === null || !this.ready || this.busy) return null;
    this.busy = true;
    this.failed = null;
    try {
      return await grants.give({ ...terms, calls, minutes });
    } catch (thrown) {
      this.failed = asProblem(thrown);
      return null;
    } finally {
      this.busy = false;
    }
  }

  async #try(terms: GrantBody, signal: AbortSignal): Promise<void> {
    this.problem = null;
    try {
      const trial = await api.tryGrant(terms, signal);
      if (!signal.aborted) this.#tried = { terms, trial };
    } catch (thrown) {
      if (!signal.aborted) this.problem = asProblem(thrown);
    }
  }
}
