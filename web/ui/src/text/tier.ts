// Tiers, from harmless to destructive.

export type Tier = 'green' | 'yellow' | 'orange' | 'red';
export const tiers: Tier[] = ['green', 'yellow', 'orange', 'red'];

const means: Record<string, string> = {
  green: 'reads only',
  yellow: 'comes back or can be put back',
  orange: 'takes something away until someone acts',
  red: 'destroys, exposes, costs, or cannot be taken back',
};

export const meaning = (tier: string) => means[tier] ?? 'unknown tier';

export function highest(list: string[]): Tier | null {
  for (const tier of tiers.toReversed()) if (list.includes(tier)) return tier;
  return null;
}

const levels = ['observe', 'suggest', 'act on request', 'act & report', 'act in a plan'];

/** The word for an autonomy level, 0 to 4. */
export const levelWord = (level: number) => levels[level] ?? `level ${level}`;
