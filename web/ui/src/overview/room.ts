// How the tables and charts of the overview share the room they have, so that no panel stands there as an empty box.

import type { Reading } from '../state/estate.svelte';

/** `alone`: the estate only. `over`: services take what is left below it. `stacked`: both in full, one below the
    other. `beside`: next to each other with the charts under the estate, or under the services. */
export type Way = 'alone' | 'over' | 'stacked' | 'beside' | 'beside-right';

const ROW = 27;
const HEAD = 62;
const GAP = 10;
const CHARTS = 104;
/** A table that shows less than this is not worth its head. */
const LEAST = 150;
const TWO_COLUMNS = 960;

/** From here on charts that stand in one row are taller than they tell. */
const TALL = 340;
const WALL = 560;

/** The height of a table with all its rows. */
export function tall(reading: Pick<Reading<unknown[]>, 'state' | 'value'>): number {
  return reading.state === 'ready' ? HEAD + ROW * Math.max(1, reading.value?.length ?? 0) : 190;
}

/** Heights of the whole, and of both tables; `services` 0 where there are none. */
export function arrange(width: number, height: number, estate: number, services: number): { way: Way; square: boolean } {
  const left = height - estate - services - 2 * GAP;
  if (services === 0) return { way: 'alone', square: left >= TALL };
  if (left >= CHARTS) return { way: 'stacked', square: left >= TALL };
  // On a wall, the services in full width with what they are, rather than charts as tall as doors.
  if (left + services - CHARTS >= WALL) return { way: 'over', square: false };
  if (width >= TWO_COLUMNS) {
    const shorter = Math.min(estate, services);
    const square = height - shorter - GAP >= 2 * CHARTS + GAP;
    return { way: services < estate ? 'beside-right' : 'beside', square };
  }
  return { way: height - estate - CHARTS - 2 * GAP >= LEAST ? 'over' : 'alone', square: false };
}
