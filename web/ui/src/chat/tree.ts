// A conversation is a tree of turns. What is shown is one path through it: at every fork the chosen branch, else the
// newest one.

import type { TurnInfo } from '../wire';

export type Chosen = ReadonlyMap<string, string>;
/** The fork before the first turn. */
export const ROOT = 'root';

const parentOf = (turn: TurnInfo) => turn.parent ?? ROOT;

export function branches(turns: TurnInfo[]): Map<string, TurnInfo[]> {
  const known = new Set(turns.map((turn) => turn.id));
  const below = new Map<string, TurnInfo[]>();
  for (const turn of turns) {
    // A turn whose parent was erased stands at the beginning rather than nowhere.
    const parent = known.has(parentOf(turn)) ? parentOf(turn) : ROOT;
    below.set(parent, [...(below.get(parent) ?? []), turn]);
  }
  for (const siblings of below.values()) siblings.sort((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1));
  return below;
}

export interface Step { turn: TurnInfo; siblings: TurnInfo[] }

export function path(turns: TurnInfo[], chosen: Chosen, until: string | null = null): Step[] {
  const below = branches(turns);
  const steps: Step[] = [];
  for (let parent = ROOT; ; ) {
    const siblings = below.get(parent);
    if (!siblings || steps.length > turns.length) return steps;
    const turn = siblings.find((one) => one.id === chosen.get(parent)) ?? siblings.at(-1)!;
    steps.push({ turn, siblings });
    if (turn.id === until) return steps;
    parent = turn.id;
  }
}
