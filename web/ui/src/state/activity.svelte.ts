// What happened, newest first: seeded from history, continued by the stream, in memory up to a limit.

import { api } from '../api';
import { onEvent } from '../stream/hub';
import type { EventInfo } from '../wire';

const KEPT = 1000;
const PAGE = 200;
/** A day of looking writes hundreds of reads; behind them stands what matters. */
const MOST_PAGES = 4;
const ENOUGH = 40;

class Activity {
  events = $state.raw<EventInfo[]>([]);
  loaded = $state(false);

  async load(): Promise<void> {
    const page = await api.history({ limit: PAGE });
    const newest = this.events.filter((event) => event.seq > (page.events[0]?.seq ?? 0));
    this.events = [...newest, ...page.events];
    this.loaded = true;
    void this.#further(page.next ?? null).catch(() => {});
  }

  /** Goes on, after the first screen, until there is something to show. */
  async #further(next: number | null): Promise<void> {
    for (let pages = 1; next !== null && pages < MOST_PAGES && outline(this.events).length < ENOUGH; pages += 1) {
      const page = await api.history({ before: next, limit: PAGE });
      this.events = [...this.events, ...page.events];
      next = page.next ?? null;
    }
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
const repeats = (a: EventInfo, b: EventInfo) =>
  same(a, b) && (a.summary === b.summary || /^call\.(read|refused)$/.test(a.kind));

/** Identical rows in a row stand once; so do repeated reads and refusals of one tool for one actor. */
export function folded(events: EventInfo[]): FeedRow[] {
  const rows: FeedRow[] = [];
  for (const event of events) {
    const last = rows.at(-1);
    if (last && repeats(last.event, event)) last.times += 1;
    else rows.push({ event, times: 1 });
  }
  return rows;
}

/** Equal refusals stand once, where the newest is; so does what repeats in a row. What was done stands for itself: each
    has its own undo. */
export function alike(events: EventInfo[]): FeedRow[] {
  const rows: FeedRow[] = [];
  const equal = (row: FeedRow | undefined, event: EventInfo) => row !== undefined && same(row.event, event) && row.event.summary === event.summary;
  for (const event of events) {
    const known = event.kind === 'call.refused' ? rows.find((row) => equal(row, event)) : rows.at(-1);
    if (known && event.kind !== 'call.done' && equal(known, event)) known.times += 1;
    else rows.push({ event, times: 1 });
  }
  return rows;
}

/** Reads of these are our own looking: every page and every understood sentence makes some. A token's reads are shown. */
const ourselves = new Set(['operator', 'local', 'system']);
/** Said by another row of the same turn. */
const between = new Set(['turn.step', 'turn.waiting', 'turn.done']);

/** Told better by what came of it, once that is there. */
const begun = /^(call\.intent|job\.(submitted|retried|stopping))$/;

/** What pages read by themselves, and sentences to find the names in them. */
const lookUps = new Set(['docker_list', 'docker_stats', 'docker_images', 'service_list', 'system_info', 'file_list']);

/** Our own looking: reads, and look-ups that were refused, which is said where their answer would stand. */
export const isOwnLook = (event: EventInfo) =>
  ourselves.has(event.actor) &&
  (event.kind === 'call.read' || event.kind === 'call.previewed' || (event.kind === 'call.refused' && lookUps.has(event.tool ?? '')));

/** For the narrow feed: what was asked and what came of it, without the steps between. All of them are on the page. */
export function outline(events: EventInfo[]): EventInfo[] {
  const settled = new Set<string>();
  return events.filter((event) => {
    if (between.has(event.kind) || isOwnLook(event)) return false;
    if (begun.test(event.kind)) return !settled.has(event.subject);
    if (/^(call|job)\./.test(event.kind)) settled.add(event.subject);
    return true;
  });
}
