// What a job puts out comes in pieces that end anywhere; it is read in lines. The last line is open until it ends.

export function grown(lines: string[], pieces: string[]): string[] {
  if (pieces.length === 0) return lines;
  const [first = '', ...rest] = pieces.join('').split('\n');
  return [...lines.slice(0, -1), (lines.at(-1) ?? '') + first, ...rest];
}

/** Without the line that has only begun. */
export const whole = (lines: string[]) => (lines.at(-1) === '' ? lines.slice(0, -1) : lines);
