// One open tool: its draft, what the gate says about these arguments now, and what came of running it.

import { api, asProblem } from '../api';
import { router } from '../router.svelte';
import { approvals } from '../state/approvals.svelte';
import { onEvent } from '../stream/hub';
import type { Args, CallAnswer, Preview, Problem, ToolInfo } from '../wire';
import { draftFrom, readDraft, type Draft } from './draft';
import { fieldsOf, type FieldSpec } from './schema';

/** Every preview looks at its target and is a row of the audit, so it waits until the typing has come to rest. */
const PAUSE = 450;
/** After these every call may be decided otherwise; after a call, those of the same family. */
const ruling = /^(kill|setting|policy|server)\./;
const acting = /^call\.(done|failed|unknown)$/;

export class ToolRun {
  readonly fields: FieldSpec[];
  draft = $state<Draft>({});
  touched = $state<Record<string, boolean>>({});
  preview = $state.raw<Preview | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** The arguments that `preview` or `problem` is about, as JSON. */
  seen = $state('');
  busy = $state(false);
  done = $state.raw<{ args: Args; answer: CallAnswer } | null>(null);
  failed = $state.raw<Problem | null>(null);

  reading = $derived.by(() => readDraft(this.fields, this.draft));
  valid = $derived(Object.keys(this.reading.faults).length === 0);
  asked = $derived(JSON.stringify(this.reading.args));
  /** Whether what is shown is about what stands in the form. */
  current = $derived(this.valid && this.seen === this.asked);
  /** The outcome; once its approval was decided, what came of it then. */
  answer = $derived.by(() => {
    const answer = this.done?.answer;
    if (!answer || answer.state !== 'waiting' || !answer.approval) return answer;
    const card = approvals.cards.get(answer.approval);
    return card && card.state !== 'pending' ? (card.steps[0]?.answer ?? answer) : answer;
  });

  #timer: ReturnType<typeof setTimeout> | undefined;
  #request: AbortController | null = null;

  constructor(readonly tool: ToolInfo, given: Record<string, unknown> = {}) {
    this.fields = fieldsOf(tool.input);
    this.draft = draftFrom(this.fields, given);
  }

  /** For an effect: asks for the preview a moment after the last change, and anew when the world changed. */
  watch(): () => void {
    void this.asked;
    this.#later(this.valid);
    const leave = onEvent((event) => {
      const concerns = ruling.test(event.kind) || (acting.test(event.kind) && event.tool?.startsWith(this.tool.family + '_'));
      if (this.valid && concerns && !document.hidden) this.#later(true);
    });
    return () => {
      leave();
      this.#stop();
    };
  }

  async run(): Promise<void> {
    if (!this.valid || this.busy) return;
    this.busy = true;
    this.failed = null;
    const args = this.reading.args;
    try {
      this.done = { args, answer: await api.call({ tool: this.tool.name, args }) };
    } catch (thrown) {
      this.done = null;
      this.failed = asProblem(thrown);
    } finally {
      this.busy = false;
    }
  }

  /** Hands the same call in as a job and opens that. */
  async runAsJob(): Promise<void> {
    if (!this.valid || this.busy) return;
    this.busy = true;
    this.failed = null;
    try {
      const job = await api.submitJob({ tool: this.tool.name, args: this.reading.args });
      router.go(`/jobs/${job.id}`);
    } catch (thrown) {
      this.done = null;
      this.failed = asProblem(thrown);
    } finally {
      this.busy = false;
    }
  }

  clear(): void {
    this.draft = draftFrom(this.fields, {});
    this.touched = {};
    this.done = null;
    this.failed = null;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#request?.abort();
  }

  #later(valid: boolean): void {
    this.#stop();
    if (!valid) return;
    this.#timer = setTimeout(() => void this.#ask(), PAUSE);
  }

  async #ask(): Promise<void> {
    const args = this.reading.args;
    const asked = JSON.stringify(args);
    const request = new AbortController();
    this.#request = request;
    try {
      const preview = await api.preview({ tool: this.tool.name, args }, request.signal);
      if (request.signal.aborted) return;
      this.preview = preview;
      this.problem = null;
    } catch (thrown) {
      if (request.signal.aborted) return;
      this.preview = null;
      this.problem = asProblem(thrown);
    }
    this.seen = asked;
  }
}
