// Numbers and times as people read them, short enough for a bar or a table cell.

const units = ['B', 'K', 'M', 'G', 'T', 'P'];

/** 8_234_000_000 → `7.7 G`; binary units, two significant figures below ten. */
export function bytes(value: number): string {
  let unit = 0;
  let rest = Math.max(0, value);
  while (rest >= 1000 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${figure(rest, unit)} ${units[unit]}`;
}

/** `5.7/8.0 G`: both in the unit of the whole. */
export function share(used: number, total: number): string {
  let unit = 0;
  let scale = 1;
  while (total / scale >= 1000 && unit < units.length - 1) {
    scale *= 1024;
    unit += 1;
  }
  return `${figure(used / scale, unit)}/${figure(total / scale, unit)} ${units[unit]}`;
}

function figure(value: number, unit: number): string {
  return unit > 0 && value < 99.5 && value !== 0 ? (value < 9.95 ? value.toFixed(1) : value.toFixed(0)) : value.toFixed(0);
}

/** A share as a whole percentage, `34%`. */
export const percent = (value: number) => `${Math.round(value)}%`;

/** A length of time in its largest two units that matter: `42 ms`, `3.4 s`, `12 min`, `5 h`, `41 d`. */
export function span(millis: number): string {
  if (millis < 1000) return `${Math.round(millis)} ms`;
  const seconds = millis / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = seconds / 60;
  if (minutes < 90) return `${Math.round(minutes)} min`;
  const hours = minutes / 60;
  if (hours < 48) return `${Math.round(hours)} h`;
  return `${Math.round(hours / 24)} d`;
}

/** What is left until a moment, as `12:41` or `2:05:09`; never negative. */
export function countdown(until: number, now: number): string {
  const seconds = Math.max(0, Math.ceil((until - now) / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

const clockParts: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const minuteFormat = new Intl.DateTimeFormat('en-GB', clockParts);
const secondFormat = new Intl.DateTimeFormat('en-GB', { ...clockParts, second: '2-digit' });
const dayFormat = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export const clock = (at: number) => secondFormat.format(at);

/** `14:32` today, `20 Nov 14:32` otherwise. */
export function when(at: number, now = Date.now()): string {
  const time = minuteFormat.format(at);
  return sameDay(at, now) ? time : `${dayFormat.format(at)} ${time}`;
}

/** `14:32` within the last twenty hours, `20 Nov` before: for narrow columns. */
export const whenShort = (at: number, now = Date.now()) => (now - at < 72_000_000 ? minuteFormat : dayFormat).format(at);

function sameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString();
}

/** 184203 → `184,203`. */
export const count = (value: number) => value.toLocaleString('en-GB');

/** `1 approval`, `2 approvals`. */
export const plural = (value: number, noun: string) => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
