// Long texts and ids, shortened to what a row has room for.

import { visible } from './visible';

/** The beginning of a text, on one line. */
export function brief(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return visible(line.length > 60 ? `${line.slice(0, 59)}…` : line);
}

/** Only a long hash is shortened; a path or an address is what the person must read to its end. */
export const shortId = (id: string) => (/^[0-9a-f]{24,}$/.test(id) ? id.slice(0, 12) + '…' : id);

/** The value of one argument, as far as a card has room for it. */
export function argument(args: unknown, name: string): string {
  const value = (args as Record<string, unknown> | null)?.[name];
  const text = typeof value === 'string' ? value : JSON.stringify(value) ?? '';
  return visible(text.length > 300 ? `${text.slice(0, 299)}…` : text);
}
