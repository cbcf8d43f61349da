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

/** The height of a table with all its rows. */
export function tall(reading: Pick<Reading<unknown[]>, 'state' | 'value'>): number {
  return reading.state === 'ready' ? HEAD + ROW * Math.max(1, reading.value?.length ?? 0) : 190;
}

export function arrange(width: number, height: number, estate: number, services: number): { way: Way; square: boolean } {
  if (estate + services + CHARTS + 2 * GAP <= height) return { way: 'stacked', square: false };
  if (width >= TWO_COLUMNS) {
    const shorter = Math.min(estate, services);
    const square = height - shorter - GAP >= 2 * CHARTS + GAP;
    return { way: services < estate ? 'beside-right' : 'beside', square };
  }
  return { way: height - estate - CHARTS - 2 * GAP >= LEAST ? 'over' : 'alone', square: false };
}
