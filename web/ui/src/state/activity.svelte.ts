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

/** Repeated reads of one tool by one actor stand in one row, so that watching does not drown what matters. */
export function folded(events: EventInfo[]): FeedRow[] {
  const rows: FeedRow[] = [];
  for (const event of events) {
    const last = rows.at(-1);
    const again = last && event.kind === 'call.read' && last.event.kind === event.kind &&
      last.event.tool === event.tool && last.event.actor === event.actor;
    if (again) last.times += 1;
    else rows.push({ event, times: 1 });
  }
  return rows;
}
