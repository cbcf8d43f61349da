// What is wrong with a schedule, by field. The server has the last word; its sentence tells which field it is about.

export type Field = 'name' | 'tool' | 'args' | 'cron' | 'zone' | 'catch_up';
export type Faults = Partial<Record<Field, string>>;

export interface Given { name: string; cron: string; zone: string; catchUp: string }

export function faultsOf(given: Given): Faults {
  const faults: Faults = {};
  const length = [...given.name.trim()].length;
  if (length === 0) faults.name = 'needed';
  else if (length > 100) faults.name = `${length - 100} characters too many`;
  const fields = given.cron.trim().split(/\s+/).filter(Boolean).length;
  if (fields === 0) faults.cron = 'needed';
  // A name such as @daily stands for all five.
  else if (fields !== 5 && !given.cron.trim().startsWith('@')) faults.cron = `five fields are needed: minute, hour, day, month, weekday; there ${fields === 1 ? 'is 1' : `are ${fields}`}`;
  if (given.zone.trim() === '') faults.zone = 'needed';
  if (!/^\d+$/.test(given.catchUp.trim()) || Number(given.catchUp) > 100) faults.catch_up = 'a whole number from 0 to 100';
  return faults;
}

/** The field that a sentence of the server is about; none when it is about the whole. */
export function fieldOf(detail: string): Field | null {
  if (/ is no time zone/.test(detail)) return 'zone';
  if (/ is no timetable| never comes/.test(detail)) return 'cron';
  if (/^a schedule needs a name|^name\b/.test(detail)) return 'name';
  if (/missed runs|catch_up/.test(detail)) return 'catch_up';
  if (/^there is no tool|unknown tool|no such tool/i.test(detail.replace(/^a job of kind `\w+`: /, ''))) return 'tool';
  if (/^a job of kind `tool_call`: |^args\b/.test(detail)) return 'args';
  return null;
}
