// Which choices fit what was typed, best first. With nothing typed: where one can go and what one can do.

import { fit } from './fuzzy';
import type { Choice, Kind } from './choice';

export interface Found { choice: Choice; marks: number[]; score: number }

const MOST = 60;
/** Among equally good ones. */
const bonus: Record<Kind, number> = { page: 16, action: 14, container: 13, call: 8, tool: 12, service: 4, conversation: 0, ask: 0 };

export function find(typed: string, choices: Choice[]): Found[] {
  if (typed === '') return choices.map((choice) => ({ choice, marks: [], score: 0 }));
  const found: Found[] = [];
  for (const choice of choices) {
    const direct = fit(typed, choice.word);
    if (direct) {
      const asleep = choice.kind === 'service' && choice.state === 'inactive' ? 16 : 0;
      found.push({ choice, marks: direct.marks, score: direct.score + bonus[choice.kind] - asleep });
      continue;
    }
    const wide = typed.length > 1 ? fit(typed, `${choice.word} ${choice.more} ${choice.also ?? ''}`) : null;
    // Strewn letters within a long text mean nothing.
    if (wide && wide.score > 20) found.push({ choice, marks: wide.marks.filter((mark) => mark < choice.word.length), score: wide.score / 2 - 10 });
  }
  return found.sort((a, b) => b.score - a.score).slice(0, MOST);
}

/** Whether what was typed is said to Jarvis rather than the name of something. */
export function isSaid(typed: string, best: Found | undefined): boolean {
  if (typed === '') return false;
  if (/[?!.]$/.test(typed)) return true;
  const words = typed.split(/\s+/).length;
  return best === undefined || (words >= 3 && best.score < 60 * words);
}
