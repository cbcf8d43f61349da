import { beforeEach, describe, expect, it, vi } from 'vitest';
import { linkOf } from '../src/activity/subject';
import { told } from '../src/activity/told';
import { faultsOf, fieldOf } from '../src/job/fault';
import { grown, whole } from '../src/job/lines';
import { changed, continued, joined } from '../src/job/rows';
import { argsOf, fitsState, formOf, isOpen, lasted, outcomeOf, shortArgs, stepOf, toolOf } from '../src/job/words';
import { outline } from '../src/state/activity.svelte';
import { draftFrom, readDraft } from '../src/tools/draft';
import { fieldsOf } from '../src/tools/schema';
import type { EventInfo, JobInfo } from '../src/wire';

const job = (id: string, more: Partial<JobInfo> = {}): JobInfo => ({
  id, kind: 'tool_call', title: 'file_write', payload: { tool: 'file_write', args: { path: 'a' } }, state: 'done', actor: 'operator', face: 'dashboard',
  correlation: 'c', attempt: 1, chunks: 0, created_at: 0, ...more,
});
const ids = (rows: JobInfo[]) => rows.map((row) => row.id);

describe('a list of jobs', () => {
  it('holds the newest page for its span, and keeps what is older', () => {
    const rows = [job('job_4', { state: 'running' }), job('job_3'), job('job_1')];
    const read = joined({ jobs: [job('job_5'), job('job_4')], next: 'job_4' }, rows);
    expect(ids(read)).toEqual(['job_5', 'job_4', 'job_3', 'job_1']);
    expect(read[1]?.state).toBe('done');
    expect(ids(joined({ jobs: [job('job_5')] }, rows))).toEqual(['job_5']);
  });

  it('goes on with older ones, each once', () => {
    expect(ids(continued([job('job_4'), job('job_3')], { jobs: [job('job_3'), job('job_2')] }))).toEqual(['job_4', 'job_3', 'job_2']);
  });

  it('drops a job that does not belong into it any more', () => {
    const rows = [job('job_2', { state: 'running' }), job('job_1', { state: 'waiting' })];
    const ended = job('job_1', { state: 'done' });
    expect(ids(changed(rows, ended, fitsState(ended, 'open')))).toEqual(['job_2']);
    expect(changed(rows, ended, fitsState(ended, 'all'))[1]?.state).toBe('done');
  });
});

describe('what a job says', () => {
  it('is open until it has ended', () => {
    expect(['queued', 'running', 'waiting', 'done', 'unknown'].map((state) => isOpen(job('j', { state })))).toEqual([true, true, true, false, false]);
    expect(fitsState(job('j', { state: 'failed' }), 'open')).toBe(false);
  });

  it('names its arguments on one line', () => {
    expect([shortArgs({ container: 'web' }), shortArgs({ largest: false })]).toEqual(['web', 'largest no']);
    expect(shortArgs({ path: 'a.md', content: 'x\ny', at: null })).toBe('path a.md · content x y');
    expect(shortArgs({ path: 'x'.repeat(90) })).toHaveLength(60);
    expect([toolOf(job('j')), argsOf(job('j'))]).toEqual(['file_write', { path: 'a' }]);
    const other = job('j', { kind: 'sweep', payload: { days: 3 } });
    expect([toolOf(other), argsOf(other)]).toEqual(['', { days: 3 }]);
  });

  it('opens its form with the same arguments', () => {
    const input = { properties: { path: { type: 'string' }, lines: { type: 'integer' }, all: { type: 'boolean' }, tags: { type: 'array', items: { type: 'string' } }, odd: { type: 'object' } } };
    const args = { path: 'a b&c', lines: 3, all: false, tags: ['x', 'y'], odd: { n: 1 } };
    const search = new URLSearchParams(formOf('t', args).split('?')[1]);
    expect(readDraft(fieldsOf(input), draftFrom(fieldsOf(input), Object.fromEntries(search))).args).toEqual(args);
    expect(formOf('t', {})).toBe('/tools/t');
  });

  it('shows a share only where the whole is known', () => {
    expect(stepOf({ done: 1, total: 4, text: 'layer 1' })).toEqual({ part: 25, text: 'layer 1 · 25%' });
    expect(stepOf({ done: 7, text: 'waiting' })).toEqual({ part: 0, text: 'waiting' });
    expect(stepOf(null).text).toBe('running');
  });

  it('tells what came of it, and how long it took', () => {
    const answer = { tool: 't', tier: 'green', state: 'done', words: '\nfirst\nsecond' };
    expect(outcomeOf(job('j', { answer, error: 'before' }))).toBe('first');
    expect(outcomeOf(job('j', { error: 'its worker was lost' }))).toBe('its worker was lost');
    expect([lasted(job('j', { started_at: 5, ended_at: 9 }), 100), lasted(job('j', { started_at: 5 }), 100), lasted(job('j'), 100)]).toEqual([4, 95, null]);
  });
});

describe('output', () => {
  it('is read in lines, however its pieces are cut', () => {
    const lines = grown(grown([], ['one\ntw', 'o\n']), ['\nfo', 'ur']);
    expect(lines).toEqual(['one', 'two', '', 'four']);
    expect(whole(grown(lines, ['\n']))).toEqual(['one', 'two', '', 'four']);
    expect(whole(grown([], []))).toEqual([]);
  });
});

describe('a schedule', () => {
  const good = { name: 'nightly', cron: '30 4 * * *', zone: 'Europe/Berlin', catchUp: '0' };

  it('that is right has no fault', () => expect(faultsOf(good)).toEqual({}));

  it('that is wrong is told by field', () => {
    expect(Object.keys(faultsOf({ name: ' ', cron: '4 * *', zone: '', catchUp: '101' })).sort()).toEqual(['catch_up', 'cron', 'name', 'zone']);
    expect(faultsOf({ ...good, cron: '4 * *' }).cron).toContain('there are 3');
  });

  it('finds the field of what the server says', () => {
    expect(fieldOf('`61 * * * *` is no timetable: 61 is out of range. It has five fields')).toBe('cron');
    expect(fieldOf('`0 0 31 2 *` never comes: no such day is in the calendar')).toBe('cron');
    expect(fieldOf('`Mars/Olympus` is no time zone; one looks like `Europe/Berlin` or `UTC`')).toBe('zone');
    expect(fieldOf('a schedule needs a name, by which people know it')).toBe('name');
    expect(fieldOf('1 to 100 missed runs can be caught up; to leave them out, skip them')).toBe('catch_up');
    expect(fieldOf('there is no tool `nope`; `jarvis tools` lists them')).toBe('tool');
    expect(fieldOf('a job of kind `tool_call`: `file_write`: missing field `path`')).toBe('args');
    expect(fieldOf('the store is full')).toBeNull();
  });
});

describe('rows about jobs', () => {
  const event = (seq: number, kind: string, subject: string, summary = ''): EventInfo => ({ seq, at: 1, kind, actor: 'operator', subject, correlation: 'c', summary, hash: 'h' });

  it('open the job, or the jobs of the schedule', () => {
    expect(linkOf(event(1, 'job.done', 'job_01'))).toEqual({ path: '/jobs/job_01', word: 'job' });
    expect(linkOf(event(1, 'schedule.saved', 'sched_01'))).toEqual({ path: '/jobs?schedule=sched_01', word: 'schedule' });
  });

  it('leave the submission to what came of it', () => {
    const rows = [event(3, 'job.done', 'job_1'), event(2, 'job.submitted', 'job_2'), event(1, 'job.submitted', 'job_1')];
    expect(outline(rows).map((row) => row.seq)).toEqual([3, 2]);
  });

  it('tell the name of the call, since the mark says the rest', () => {
    expect(told({ kind: 'job.done', summary: 'done tool_call: file_write' })).toBe('file_write');
    expect(told({ kind: 'job.submitted', summary: 'tool_call: file_write' })).toBe('file_write');
    expect(told({ kind: 'job.retried', summary: 'attempt 1 of tool_call came to nothing, trying again: x' })).toContain('attempt 1');
  });
});

describe('frames that only some pages show', () => {
  const sent: { type: string; topics?: string[] }[] = [];
  beforeEach(() => {
    vi.resetModules();
    sent.length = 0;
    vi.stubGlobal('document', { hidden: false, addEventListener: () => {} });
    vi.stubGlobal('addEventListener', () => {});
    vi.stubGlobal('SharedWorker', class { port = { postMessage: (message: { type: string }) => void sent.push(message) }; });
  });

  it('are asked for while a part of the page watches them, and no longer', async () => {
    const { join, watch } = await import('../src/stream/hub');
    join(7);
    const [one, other] = [watch('jobs'), watch('jobs')];
    one();
    expect(sent.at(-1)?.topics).toEqual(['gauges', 'turns', 'jobs']);
    other();
    expect(sent.at(-1)?.topics).toEqual(['gauges', 'turns']);
    expect(sent[0]).toEqual({ type: 'join', after: 7, topics: ['gauges', 'turns'] });
  });
});
