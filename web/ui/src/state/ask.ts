// Asking Jarvis from anywhere: a new conversation, opened in the chat.

import { router } from '../router.svelte';
import { conversations } from './conversations.svelte';
import { notices } from './notice.svelte';

export async function ask(text: string): Promise<void> {
  try {
    const turn = await conversations.say({ text });
    router.go(`/chat/${encodeURIComponent(turn.conversation)}`);
  } catch (thrown) {
    notices.problem(thrown);
  }
}
