// What a job says of itself, in few words. Pure.

import { cell } from '../call/shape';
import { brief } from '../text/brief';
import { visible } from '../text/visible';
import type { Args, JobInfo, ProgressInfo, ScheduleInfo } from '../wire';

export const states = ['queued', 'running', 'waiting', 'done', 'failed', 'cancelled', 'unknown'];

const open = new Set(['queued', 'running', 'waiting']);
export const isOpen = (job: Pick<JobInfo, 'state'>) => open.has(job.state);

/** Whether a job stands in a list of these states: `all`, `open`, or one. */
export const fitsState = (job: Pick<JobInfo, 'state'>, wanted: string) => wanted === 'all' || (wanted === 'open' ? isOpen(job) : job.state === wanted);

type Given = Pick<JobInfo | ScheduleInfo, 'kind' | 'payload'>;

/** The tool that it calls; other kinds of jobs call none. */
export const toolOf = (one: Given): string => (one.kind === 'tool_call' && typeof one.payload['tool'] === 'string' ? one.payload['tool'] : '');

export function argsOf(one: Given): Args {
  const args = one.payload['args'];
  if (toolOf(one) === '') return one.payload;
  return typeof args === 'object' && args !== null && !Array.isArray(args) ? (args as Args) : {};
}

/** The arguments on one line: a single text by itself, as a tool's card names its target. */
export function shortArgs(args: Args): string {
  const given = Object.entries(args).filter(([, value]) => value !== null && value !== '');
  const words = (value: unknown) => brief(cell(value));
  return given.length === 1 && typeof given[0]![1] === 'string' ? words(given[0]![1]) : given.map(([name, value]) => `${visible(name)} ${words(value)}`).join(' · ');
}

/** The form of the same call, filled in. */
export function formOf(tool: string, args: Args): string {
  const given = Object.entries(args).filter(([, value]) => value !== null).map(([name, value]): [string, string] => [name, plain(value)]);
  const search = new URLSearchParams(given).toString();
  return `/tools/${encodeURIComponent(tool)}${search && `?${search}`}`;
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => typeof one === 'string');
const plain = (value: unknown) => (typeof value === 'string' ? value : isTexts(value) ? value.join('\n') : JSON.stringify(value));

/** How far it is, for a meter: a share where the whole is known, and what is being done. */
export function stepOf(progress: ProgressInfo | null | undefined): { part: number; text: string } {
  if (!progress) return { part: 0, text: 'running' };
  const part = progress.total ? (100 * progress.done) / progress.total : 0;
  const share = progress.total ? `${Math.floor(Math.min(100, part))}%` : '';
  return { part, text: [visible(progress.text), share].filter(Boolean).join(' · ') || 'running' };
}

/** What came of it, on one line. The words of an outcome may be a stranger's. */
export function outcomeOf(job: JobInfo): string {
  const words = job.answer?.words || job.error || '';
  return visible(words.split('\n').find((line) => line.trim() !== '') ?? '').trim();
}

/** How long it ran, or runs. */
export const lasted = (job: JobInfo, now: number) => (job.started_at == null ? null : Math.max(0, (job.ended_at ?? now) - job.started_at));
