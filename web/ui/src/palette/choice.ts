// What the palette can find: each choice knows what it is, and what happens when it is taken.

export type Kind = 'page' | 'action' | 'tool' | 'container' | 'service' | 'conversation' | 'call' | 'ask';

export interface Choice {
  key: string;
  kind: Kind;
  word: string;
  more: string;
  tier?: string;
  state?: string;
  /** Words that find it too, not shown. */
  also?: string;
  /** The key that does the same. */
  hint?: string;
  /** Must be taken twice. */
  guarded?: string;
  /** Narrows the palette to one thing instead of closing it. */
  scope?: Scope;
  run?: () => unknown;
}

export interface Scope { entity: 'container' | 'service'; name: string; tool?: string }

export const kindWord: Record<Kind, string> = {
  page: 'page', action: 'action', tool: 'tool', container: 'container', service: 'service', conversation: 'chat', call: 'call', ask: 'ask',
};
