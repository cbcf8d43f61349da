// The conversation that is open on the chat page: its turns, the branch shown, and what is being sent.

import { SvelteMap } from 'svelte/reactivity';
import { api, asProblem } from '../api';
import { router } from '../router.svelte';
import { conversations } from '../state/conversations.svelte';
import { isOver, turns } from '../state/turns.svelte';
import type { ConversationInfo, Problem, TurnInfo } from '../wire';
import { path, ROOT } from './tree';

export class OpenConversation {
  id = $state<string | null>(null);
  info = $state.raw<ConversationInfo | null>(null);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  /** Said, and not yet taken by the server. */
  sending = $state<string | null>(null);
  draft = $state('');
  /** The turn after which the next words go, when it is not the newest. */
  after = $state<string | null>(null);
  chosen = new SvelteMap<string, string>();

  turns = $derived([...turns.byId.values()].filter((turn) => turn.conversation === this.id));
  steps = $derived(path(this.turns, this.chosen, this.after));
  last = $derived<TurnInfo | undefined>(this.steps.at(-1)?.turn);
  running = $derived(this.steps.map((step) => step.turn).findLast((turn) => !isOver(turn)));

  async open(id: string | null): Promise<void> {
    if (id === this.id && this.info !== null) return;
    this.id = id;
    turns.watching = id;
    this.info = null;
    this.problem = null;
    this.after = null;
    if (id === null) return;
    this.loading = true;
    try {
      const view = await api.conversation(id);
      if (this.id !== id) return;
      this.info = view.conversation;
      for (const turn of view.turns) turns.keep(turn);
    } catch (thrown) {
      this.problem = asProblem(thrown);
    } finally {
      this.loading = false;
    }
  }

  /** `parent` undefined goes on from what is shown; null begins another first turn. */
  async say(text: string, parent?: string | null): Promise<void> {
    const words = text.trim();
    if (words === '' || this.sending !== null) return;
    this.sending = words;
    this.problem = null;
    const after = parent === undefined ? this.last?.id : (parent ?? ROOT);
    try {
      const turn = await conversations.say({ text: words, ...(this.id && { conversation: this.id }), ...(this.id && after && { parent: after }) });
      this.choose(turn);
      this.after = null;
      if (this.id === null) {
        this.id = turn.conversation;
        turns.watching = this.id;
        router.go(`/chat/${encodeURIComponent(turn.conversation)}`, true);
        void this.open(turn.conversation);
      }
    } catch (thrown) {
      this.problem = asProblem(thrown);
      if (this.draft === '') this.draft = words;
    } finally {
      this.sending = null;
    }
  }

  async retry(turn: TurnInfo): Promise<void> {
    await this.#guarded(async () => {
      const again = await api.retry(turn.id);
      turns.keep(again);
      this.choose(again);
    });
  }

  async stop(): Promise<void> {
    const turn = this.running;
    if (turn) await this.#guarded(() => api.stop(turn.id).then(() => turns.refresh(turn.id)));
  }

  choose(turn: TurnInfo): void {
    this.chosen.set(turn.parent ?? ROOT, turn.id);
  }

  async #guarded(run: () => Promise<void>): Promise<void> {
    this.problem = null;
    try {
      await run();
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
  }
}
