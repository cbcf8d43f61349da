// Rows of the estate: containers joined with what they use, and services; filtered and sorted.

import type { Container, ContainerStats, Service } from '../state/estate.svelte';
import { span } from '../text/format';
import { containerMark, markOf, type Mark } from '../text/state';

export type Column = 'state' | 'name' | 'image' | 'cpu' | 'memory' | 'net' | 'up';

export const columns: { key: Column; word: string }[] = [
  { key: 'state', word: 'state' },
  { key: 'name', word: 'name' },
  { key: 'image', word: 'image' },
  { key: 'cpu', word: 'cpu' },
  { key: 'memory', word: 'memory' },
  { key: 'net', word: 'net ↓ ↑' },
  { key: 'up', word: 'up' },
];

export interface Row extends Container { mark: Mark; stats?: ContainerStats }

const rank: Record<Mark, number> = { bad: 0, unknown: 1, warn: 2, busy: 3, next: 3, ask: 3, ok: 4, off: 5 };

export function rowsOf(containers: Container[], stats: ContainerStats[], filter: string, by: Column, down: boolean): Row[] {
  const use = new Map(stats.map((one) => [one.name, one]));
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return containers
    .map((one): Row => ({ ...one, mark: containerMark(one.state, one.health), stats: use.get(one.name) }))
    .filter((row) => words.every((word) => `${row.name} ${row.image} ${row.state} ${row.health ?? ''}`.toLowerCase().includes(word)))
    .sort((a, b) => rest(a, by) - rest(b, by) || (down ? -1 : 1) * compare(a, b, by) || a.name.localeCompare(b.name));
}

/** What does not run stands behind what does, whichever way it is sorted; only sorting by state mixes them. */
const rest = (row: Row, by: Column) => (by !== 'state' && row.mark === 'off' ? 1 : 0);

function compare(a: Row, b: Row, by: Column): number {
  switch (by) {
    case 'state': return rank[a.mark] - rank[b.mark];
    case 'name': return a.name.localeCompare(b.name);
    case 'image': return a.image.localeCompare(b.image);
    case 'cpu': return (a.stats?.cpu_percent ?? -1) - (b.stats?.cpu_percent ?? -1);
    case 'memory': return (a.stats?.memory_bytes ?? -1) - (b.stats?.memory_bytes ?? -1);
    case 'net': return traffic(a) - traffic(b);
    case 'up': return uptime(a.status) - uptime(b.status);
  }
}

const traffic = (row: Row) => (row.stats ? row.stats.net_received_bytes + row.stats.net_sent_bytes : -1);

const seconds: Record<string, number> = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800, month: 2_592_000, year: 31_536_000 };

/** Docker's `Up 3 days (healthy)` in seconds; 0 when it does not run. */
export function uptime(status: string): number {
  const found = /^Up (?:About )?(an?|\d+) (second|minute|hour|day|week|month|year)/.exec(status);
  if (!found) return status.startsWith('Up') ? 1 : 0;
  return (Number(found[1]) || 1) * seconds[found[2]!]!;
}

/** How a container is, in a word or two: `up 3 d`, `restarting`, `exited 1`. */
export function standing(one: Container): string {
  if (one.health === 'unhealthy') return 'unhealthy';
  const up = one.state === 'running' ? uptime(one.status) : 0;
  const code = one.state === 'exited' ? /\((\d+)\)/.exec(one.status)?.[1] : undefined;
  return up > 0 ? `up ${span(up * 1000)}` : `${one.state}${code && code !== '0' ? ` ${code}` : ''}`;
}

export interface ServiceRow extends Service { mark: Mark; short: string }

const urgency: Record<string, number> = { failed: 0, activating: 1, deactivating: 1, reloading: 1, active: 2, inactive: 4 };

/** Failed first, then what changes, runs, has done its work, and rests. */
export function servicesOf(services: Service[], filter = ''): ServiceRow[] {
  const order = (row: Service) => (urgency[row.active] ?? 1) + (row.active === 'active' && row.sub === 'exited' ? 1 : 0);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return services
    .map((one) => ({ ...one, mark: markOf(one.active), short: one.name.replace(/\.service$/, '') }))
    .filter((row) => words.every((word) => `${row.name} ${row.description ?? ''} ${row.active} ${row.sub ?? ''}`.toLowerCase().includes(word)))
    .sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name));
}
