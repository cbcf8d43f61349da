// Turns by id, and the text that is being streamed into them. A turn is re-read when an event is about it; between
// events its words grow by frames.

import { SvelteMap } from 'svelte/reactivity';
import { api } from '../api';
import { onEvent, onFrame } from '../stream/hub';
import type { FrameInfo, TurnInfo } from '../wire';
import { coalesce } from './coalesce';
import { grow, type LiveText } from '../text/live';

export interface Progress { done?: number | null; total?: number | null; text?: string | null }

const ended = new Set(['done', 'stopped', 'failed']);
export const isOver = (turn: TurnInfo) => ended.has(turn.state);

class Turns {
  byId = new SvelteMap<string, TurnInfo>();
  live = new SvelteMap<string, LiveText>();
  phase = new SvelteMap<string, string>();
  progress = new SvelteMap<string, Progress>();
  /** The conversation on the screen: turns that begin in it elsewhere are fetched too. */
  watching = $state<string | null>(null);

  keep(turn: TurnInfo): void {
    this.byId.set(turn.id, turn);
    const live = this.live.get(turn.id);
    const said = turn.entries.some((entry) => entry.kind === 'said' && live && entry.text.startsWith(live.text));
    if (isOver(turn) || said || live?.kept) this.live.delete(turn.id);
    if (isOver(turn)) this.phase.delete(turn.id);
  }

  async refresh(id: string): Promise<void> {
    await coalesce(`turn ${id}`, async () => {
      try {
        this.keep(await api.turn(id));
      } catch { /* erased, or read again with its next event */ }
    });
  }

  constructor() {
    onEvent((event) => {
      if (!event.kind.startsWith('turn.')) return;
      const over = ended.has(event.kind.slice(5));
      if (over) this.phase.delete(event.subject);
      if (this.byId.has(event.subject) || (event.kind === 'turn.asked' && this.watching)) void this.refresh(event.subject);
    });
    onFrame((frame) => {
      if (frame.subject.startsWith('turn:')) this.#turnFrame(frame.subject.slice(5), frame);
      if (frame.subject.startsWith('call:') && frame.kind === 'progress') {
        this.progress.set(frame.subject.slice(5), frame.data as Progress);
      }
    });
  }

  #turnFrame(id: string, frame: FrameInfo): void {
    const data = frame.data as { text?: string; phase?: string };
    if (frame.kind === 'text' && typeof data.text === 'string') {
      const live = grow(this.live.get(id), frame.offset ?? 0, data.text);
      if (live.text !== '') this.live.set(id, live);
    } else if (frame.kind === 'phase' && data.phase) {
      if (data.phase === 'idle') this.phase.delete(id);
      else this.phase.set(id, data.phase);
    }
  }
}

export const turns = new Turns();
