// Rows of the estate: containers joined with what they use, filtered and sorted.

import type { Container, ContainerStats } from '../state/estate.svelte';
import { containerMark, type Mark } from '../text/state';

export type Column = 'state' | 'name' | 'image' | 'cpu' | 'memory' | 'up';

export const columns: { key: Column; word: string }[] = [
  { key: 'state', word: 'state' },
  { key: 'name', word: 'name' },
  { key: 'image', word: 'image' },
  { key: 'cpu', word: 'cpu' },
  { key: 'memory', word: 'memory' },
  { key: 'up', word: 'up' },
];

export interface Row extends Container { mark: Mark; stats?: ContainerStats }

const rank: Record<Mark, number> = { bad: 0, unknown: 1, warn: 2, busy: 3, ask: 3, ok: 4, off: 5 };

export function rowsOf(containers: Container[], stats: ContainerStats[], filter: string, by: Column, down: boolean): Row[] {
  const use = new Map(stats.map((one) => [one.id, one]));
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return containers
    .map((one): Row => ({ ...one, mark: containerMark(one.state, one.health), stats: use.get(one.id) }))
    .filter((row) => words.every((word) => `${row.name} ${row.image} ${row.state} ${row.health ?? ''}`.toLowerCase().includes(word)))
    .sort((a, b) => (down ? -1 : 1) * compare(a, b, by) || a.name.localeCompare(b.name));
}

function compare(a: Row, b: Row, by: Column): number {
  switch (by) {
    case 'state': return rank[a.mark] - rank[b.mark];
    case 'name': return a.name.localeCompare(b.name);
    case 'image': return a.image.localeCompare(b.image);
    case 'cpu': return (a.stats?.cpu_percent ?? -1) - (b.stats?.cpu_percent ?? -1);
    case 'memory': return (a.stats?.memory_used ?? -1) - (b.stats?.memory_used ?? -1);
    case 'up': return uptime(a.status) - uptime(b.status);
  }
}

const seconds: Record<string, number> = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800, month: 2_592_000, year: 31_536_000 };

/** Docker's `Up 3 days (healthy)` in seconds; 0 when it does not run. */
export function uptime(status: string): number {
  const found = /^Up (?:About )?(an?|\d+) (second|minute|hour|day|week|month|year)/.exec(status);
  if (!found) return status.startsWith('Up') ? 1 : 0;
  return (Number(found[1]) || 1) * seconds[found[2]!]!;
}
