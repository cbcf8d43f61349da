// One server as it is being typed: a new one, or how one that is mounted is to be reached.

import { asProblem } from '../api';
import { mounts } from '../state/mounts.svelte';
import type { MountBody, MountInfo, Problem } from '../wire';
import { bodyOf, fieldOf, givenOf, missingIn, wrongIn, type Faults, type Given } from './line';

export class MountDraft {
  given: Given = $state(givenOf(null));
  busy = $state(false);
  /** Why it was not mounted. */
  problem = $state.raw<Problem | null>(null);
  #tried = $state(false);
  /** What the server said about a field, until something is changed. */
  #refused = $state.raw<{ field: string; words: string; sent: string } | null>(null);

  body = $derived.by<MountBody>(() => bodyOf(this.given, this.old));
  #sent = $derived(JSON.stringify([this.given.name, this.body]));
  // Its own name comes into the list before its answer has.
  #wrong = $derived.by(() => wrongIn(this.given, this.old || this.busy ? [] : mounts.names));
  #missing = $derived.by(() => missingIn(this.given));
  faults = $derived.by<Faults>(() => {
    const refused = this.#refused;
    return { ...(refused?.sent === this.#sent && { [refused.field]: refused.words }), ...(this.#tried && this.#missing), ...this.#wrong };
  });
  #right = $derived(Object.keys(this.#wrong).length === 0 && Object.keys(this.#missing).length === 0);
  #changed = $derived.by(() => this.old === null || JSON.stringify(this.body) !== JSON.stringify(bodyOf(givenOf(this.old), this.old)));
  /** Whether it is worth a try: what is missing is said then. */
  ready = $derived((this.#right || !this.#tried) && this.#changed);

  constructor(readonly old: MountInfo | null) {
    this.given = givenOf(old);
  }

  /** Whether it is mounted so. */
  async keep(): Promise<boolean> {
    this.#tried = true;
    if (!this.#right || !this.ready || this.busy) return false;
    this.busy = true;
    this.problem = null;
    const sent = this.#sent;
    try {
      await mounts.keep(this.given.name, this.body);
      return true;
    } catch (thrown) {
      const problem = asProblem(thrown);
      const field = problem.status === 400 ? fieldOf(problem.detail) : '';
      if (field) this.#refused = { field, words: problem.detail, sent };
      else this.problem = problem;
      return false;
    } finally {
      this.busy = false;
    }
  }
}
