// Finds the names within a sentence that the person must not overlook: the target and the values of the arguments.

export interface Piece { text: string; name: boolean }

/** With `ticks`, what stands between backticks is a name too, and the backticks go. */
export function emphasised(sentence: string, names: string[], ticks = false): Piece[] {
  if (!ticks) return named(sentence, names);
  return sentence.split(/`([^`]+)`/).flatMap((part, at) => (at % 2 === 1 ? [{ text: part, name: true }] : named(part, names)));
}

function named(sentence: string, names: string[]): Piece[] {
  if (sentence === '') return [];
  const wanted = [...new Set(names)].filter((name) => name.length > 1).sort((a, b) => b.length - a.length);
  if (wanted.length === 0) return [{ text: sentence, name: false }];
  // A name counts only as a whole: `db` is not found within `old-db`.
  const whole = new RegExp(`(?<![\\p{L}\\p{N}_./-])(${wanted.map(escape).join('|')})(?![\\p{L}\\p{N}_/-]|\\.[\\p{L}\\p{N}])`, 'gu');
  const pieces: Piece[] = [];
  let end = 0;
  for (const found of sentence.matchAll(whole)) {
    if (found.index > end) pieces.push({ text: sentence.slice(end, found.index), name: false });
    pieces.push({ text: found[0], name: true });
    end = found.index + found[0].length;
  }
  if (end < sentence.length) pieces.push({ text: sentence.slice(end), name: false });
  return pieces;
}

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** All strings among the values of arguments. */
export function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(stringsIn);
}
