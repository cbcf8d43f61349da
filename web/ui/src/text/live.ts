// Text that arrives in pieces, each at an offset in characters (not UTF-16 units).

export interface LiveText {
  text: string;
  /** Characters before `text` that were not seen, because the page opened in the middle of it. */
  start: number;
  /** Whether the server has said that these words stand in the turn now; they go when the turn is read again. */
  kept?: boolean;
}

export function grow(before: LiveText | undefined, offset: number, piece: string): LiveText {
  if (offset === 0 && piece === '' && before !== undefined) return { ...before, kept: true };
  if (before === undefined || offset < before.start || offset === 0) return { text: piece, start: offset };
  const cut = unitsOf(before.text, offset - before.start);
  if (cut === null) return { text: piece, start: offset };
  return { text: before.text.slice(0, cut) + piece, start: before.start };
}

/** How many UTF-16 units the first `characters` take, or null when there are fewer. */
function unitsOf(text: string, characters: number): number | null {
  let units = 0;
  for (let left = characters; left > 0; left -= 1) {
    const point = text.codePointAt(units);
    if (point === undefined) return null;
    units += point > 0xffff ? 2 : 1;
  }
  return units;
}
