// One secret as it is being typed: a new one, or what is to change of one that is kept. The value lives here and in its
// field, and goes with them.

import { asProblem } from '../api';
import { secrets } from '../state/secrets.svelte';
import type { Problem, SecretBody, SecretInfo, SecretUse } from '../wire';
import { fieldOf, missingIn, usesOf, wrongIn, type Faults, type Given } from './fault';

export class SecretDraft {
  name = $state('');
  value = $state('');
  note = $state('');
  uses = $state<SecretUse[]>([]);
  busy = $state(false);
  /** Why it was not kept. */
  problem = $state.raw<Problem | null>(null);
  #tried = $state(false);
  /** What the server said about a field, until something is changed. */
  #refused = $state.raw<{ field: string; words: string; body: SecretBody } | null>(null);

  /** Only what differs from what is kept. */
  body = $derived.by<SecretBody>(() => {
    const { old } = this;
    const [note, uses] = [this.note.trim(), usesOf(this.uses)];
    return {
      ...(this.value !== '' && { value: this.value }),
      ...(note !== (old?.note ?? '') && { note }),
      ...(JSON.stringify(uses) !== JSON.stringify(usesOf(old?.uses ?? [])) && { uses }),
    };
  });
  #given = $derived<Given>({ name: this.name.trim(), value: this.value, note: this.note, uses: this.uses });
  // Its own name comes into the list before its answer has.
  #wrong = $derived.by(() => wrongIn(this.#given, this.old || this.busy ? [] : secrets.names));
  #missing = $derived.by(() => missingIn(this.#given, this.old === null));
  faults = $derived.by<Faults>(() => {
    const refused = this.#refused;
    return { ...(refused?.body === this.body && { [refused.field]: refused.words }), ...(this.#tried && this.#missing), ...this.#wrong };
  });
  #right = $derived(Object.keys(this.#wrong).length === 0 && Object.keys(this.#missing).length === 0);
  /** Whether it is worth a try: what is missing is said then. */
  ready = $derived.by(() => (this.#right || !this.#tried) && (this.old === null || Object.keys(this.body).length > 0));

  constructor(readonly old: SecretInfo | null, name: string) {
    this.name = old?.name ?? name;
    this.note = old?.note ?? '';
    this.uses = (old?.uses ?? []).map((use) => ({ ...use }));
  }

  /** The secret, or nothing where it was not kept. */
  async keep(): Promise<SecretInfo | null> {
    this.#tried = true;
    if (!this.#right || !this.ready || this.busy) return null;
    this.busy = true;
    this.problem = null;
    // What the server says of a row counts those that were sent.
    this.uses = usesOf(this.uses);
    const { body } = this;
    try {
      return await secrets.keep(this.name.trim(), body);
    } catch (thrown) {
      const problem = asProblem(thrown);
      const field = problem.status === 400 || problem.status === 422 ? fieldOf(problem.detail) : '';
      if (field) this.#refused = { field, words: problem.detail, body };
      else this.problem = problem;
      return null;
    } finally {
      this.busy = false;
    }
  }

  clear(): void {
    this.value = '';
    this.#refused = null;
  }
}
