// Approval cards by id. Cards are re-read one by one when an event is about them; a pending one is never guessed.

import { SvelteMap } from 'svelte/reactivity';
import { api } from '../api';
import { onEvent } from '../stream/hub';
import { highest, tiers, type Tier } from '../text/tier';
import type { ApprovalInfo } from '../wire';
import { coalesce } from './coalesce';
import { time } from './clock.svelte';

class Approvals {
  cards = new SvelteMap<string, ApprovalInfo>();
  loaded = $state(false);

  /** Open questions, the highest tier on top, and of one tier the one that lapses first. */
  pending = $derived(
    [...this.cards.values()].filter((card) => card.state === 'pending').sort((a, b) => tiers.indexOf(b.tier as Tier) - tiers.indexOf(a.tier as Tier) || a.expires_at - b.expires_at),
  );
  decided = $derived(
    [...this.cards.values()]
      .filter((card) => card.state !== 'pending')
      .sort((a, b) => (b.decided_at ?? b.created_at) - (a.decided_at ?? a.created_at)),
  );
  tier = $derived(highest(this.pending.map((card) => card.tier)));

  async load(): Promise<void> {
    const { approvals } = await api.approvals('pending', 200);
    for (const [id, card] of this.cards) if (card.state === 'pending') this.cards.delete(id);
    this.#keep(approvals);
    this.loaded = true;
  }

  async loadAll(): Promise<void> {
    this.#keep((await api.approvals('all', 100)).approvals);
    this.loaded = true;
  }

  /** Makes sure that a card named by a call is here. */
  async need(id: string): Promise<void> {
    if (!this.cards.has(id)) await this.refresh(id);
  }

  async refresh(id: string): Promise<void> {
    await coalesce(`approval ${id}`, async () => {
      try {
        this.#keep([await api.approval(id)]);
      } catch { /* it will be read again with its next event */ }
    });
  }

  /** Yes, but for these steps, by their numbers. */
  async approve(id: string, without: number[] = []): Promise<void> {
    this.#keep([await api.approve(id, without)]);
  }

  async deny(id: string, because: string): Promise<void> {
    this.#keep([await api.deny(id, because)]);
  }

  lapsed(card: ApprovalInfo): boolean {
    return card.state === 'pending' && card.expires_at <= time.now;
  }

  #keep(cards: ApprovalInfo[]): void {
    for (const card of cards) this.cards.set(card.id, card);
  }

  constructor() {
    onEvent((event) => {
      if (event.kind.startsWith('approval.')) void this.refresh(event.subject);
      // A call's event does not name its card, so every card that is being carried out is looked at.
      if (!event.kind.startsWith('call.') || event.kind === 'call.read') return;
      for (const card of this.cards.values()) {
        if (card.state === 'approved' || card.state === 'running') void this.refresh(card.id);
      }
    });
  }
}

export const approvals = new Approvals();
