// What happened, newest first: seeded from history, continued by the stream, in memory up to a limit.

import { api } from '../api';
import { onEvent } from '../stream/hub';
import type { EventInfo } from '../wire';

const KEPT = 400;

class Activity {
  events = $state.raw<EventInfo[]>([]);
  loaded = $state(false);

  async load(): Promise<void> {
    const page = await api.history({ limit: 120 });
    const newest = this.events.filter((event) => event.seq > (page.events[0]?.seq ?? 0));
    this.events = [...newest, ...page.events];
    this.loaded = true;
  }

  constructor() {
    onEvent((event) => {
      if (event.seq > (this.events[0]?.seq ?? 0)) this.events = [event, ...this.events.slice(0, KEPT - 1)];
    });
  }
}

export const activity = new Activity();

export interface FeedRow { event: EventInfo; times: number }

const same = (a: EventInfo, b: EventInfo) => a.kind === b.kind && a.tool === b.tool && a.actor === b.actor;

/** Repeated reads and refusals of one tool for one actor stand in one row, so that watching does not drown what matters. */
export function folded(events: EventInfo[]): FeedRow[] {
  const rows: FeedRow[] = [];
  for (const event of events) {
    const last = rows.at(-1);
    if (last && /^call\.(read|refused)$/.test(event.kind) && same(last.event, event)) last.times += 1;
    else rows.push({ event, times: 1 });
  }
  return rows;
}

/** Equal lines stand once, where the newest is. */
export function alike(events: EventInfo[]): FeedRow[] {
  const rows: FeedRow[] = [];
  for (const event of events) {
    const known = event.kind === 'call.refused' ? rows.find((row) => same(row.event, event) && row.event.summary === event.summary) : undefined;
    if (known) known.times += 1;
    else rows.push({ event, times: 1 });
  }
  return rows;
}

/** For the narrow feed: what was asked and what came of it, without the steps between. All of them are on the page. */
export function outline(events: EventInfo[]): EventInfo[] {
  const settled = new Set<string>();
  return events.filter((event) => {
    if (event.kind === 'turn.step' || event.kind === 'turn.done') return false;
    if (event.kind === 'call.intent') return !settled.has(event.subject);
    if (event.kind.startsWith('call.')) settled.add(event.subject);
    return true;
  });
}
