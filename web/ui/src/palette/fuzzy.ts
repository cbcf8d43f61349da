// How well words that were typed fit a text: whole words and beginnings of words before letters strewn about. Pure.

export interface Fit { score: number; marks: number[] }

/** Every typed word must be found; null when one is not. */
export function fit(typed: string, text: string): Fit | null {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const lower = text.toLowerCase();
  let score = 0;
  const marks = new Set<number>();
  for (const word of words) {
    const found = fitWord(word, lower);
    if (found === null) return null;
    score += found.score;
    found.marks.forEach((mark) => marks.add(mark));
  }
  // Among equals the shorter text is what was meant.
  return { score: score - text.length / 200, marks: [...marks].sort((a, b) => a - b) };
}

function fitWord(word: string, text: string): Fit | null {
  const at = bestPlace(word, text);
  if (at >= 0) {
    const begins = isStart(text, at);
    const ends = at + word.length === text.length || isStart(text, at + word.length) || !/[\p{L}\p{N}]/u.test(text[at + word.length] ?? '');
    const score = (begins ? 60 : 25) + (begins && ends ? 30 : 0) + (at === 0 ? 10 : 0) + word.length;
    return { score, marks: range(at, word.length) };
  }
  return word.length >= 2 ? strewn(word, text) : null;
}

/** The occurrence at the beginning of a word, else the first. */
function bestPlace(word: string, text: string): number {
  let first = -1;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (isStart(text, at)) return at;
    if (first < 0) first = at;
  }
  return first;
}

/** Letters in their order, as in `dkrm` for docker_remove; each gap costs. */
function strewn(word: string, text: string): Fit | null {
  const marks: number[] = [];
  let score = 0;
  let from = 0;
  for (const letter of word) {
    let at = text.indexOf(letter, from);
    if (at < 0) return null;
    // A letter that begins a word is the better one, if it is near.
    for (let other = at; other >= 0 && other < from + 14; other = text.indexOf(letter, other + 1)) {
      if (isStart(text, other)) { at = other; break; }
    }
    score += isStart(text, at) ? 7 : at === from ? 4 : 0;
    score -= Math.min(4, at - from);
    marks.push(at);
    from = at + 1;
  }
  return score >= word.length * 1.5 ? { score, marks } : null;
}

const isStart = (text: string, at: number) => at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1] ?? '');
const range = (from: number, length: number) => Array.from({ length }, (_, at) => from + at);
