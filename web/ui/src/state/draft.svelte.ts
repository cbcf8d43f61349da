// Words that are put before the person in the chat, to be sent or changed by them. Nothing is asked by itself.

import { router } from '../router.svelte';

class Draft {
  text = $state<string | null>(null);

  /** Opens a new conversation with these words in its line. */
  put(text: string): void {
    this.text = text;
    router.go('/chat');
  }

  take(): string | null {
    const text = this.text;
    if (text !== null) this.text = null;
    return text;
  }
}

export const draft = new Draft();
