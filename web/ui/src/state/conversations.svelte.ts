// The list of conversations, and saying something.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { ConversationInfo, Problem, SayBody, TurnInfo } from '../wire';
import { coalesce } from './coalesce';
import { turns } from './turns.svelte';

class Conversations {
  list = $state.raw<ConversationInfo[]>([]);
  search = $state('');
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);

  load(): Promise<void> {
    return coalesce('conversations', async () => {
      try {
        this.list = (await api.conversations(this.search)).conversations;
        this.problem = null;
        this.loaded = true;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  async say(body: SayBody): Promise<TurnInfo> {
    const turn = await api.say(body);
    turns.keep(turn);
    return turn;
  }

  async rename(id: string, title: string): Promise<void> {
    await api.rename(id, title);
    await this.load();
  }

  async forget(id: string): Promise<void> {
    await api.forget(id);
    await this.load();
  }

  constructor() {
    onEvent((event) => {
      if (this.loaded && (event.kind === 'turn.asked' || event.kind.startsWith('conversation.'))) void this.load();
    });
  }
}

export const conversations = new Conversations();
