// Jobs of one filter, newest first: read page by page, and its newest page again when an event or a frame is about one.

import { SvelteMap } from 'svelte/reactivity';
import { api, asProblem } from '../api';
import { coalesce } from '../state/coalesce';
import { onEvent, onFrame, onLink } from '../stream/hub';
import type { JobCountsInfo, JobInfo, Problem, ProgressInfo } from '../wire';
import { changed, continued, joined } from './rows';
import { fitsState } from './words';

export interface Wanted { state: string; schedule: string }

const PAGE = 50;
/** Many jobs may begin and end in a moment; the list is read a few times a second at most. */
const PAUSE = 200;

let lists = 0;

export class JobList {
  rows = $state.raw<JobInfo[]>([]);
  next = $state<string | null>(null);
  counts = $state.raw<JobCountsInfo | null>(null);
  loaded = $state(false);
  loading = $state(false);
  problem = $state.raw<Problem | null>(null);
  /** Progress that was shown since a job was read. */
  progress = new SvelteMap<string, ProgressInfo>();
  #wanted: Wanted = { state: 'all', schedule: '' };
  #stale = new Set<string>();
  #run = 0;
  /** Its own, so that a list that was left answers for no other. */
  readonly #key = `jobs ${(lists += 1)}`;

  /** Begins anew. */
  async open(wanted: Wanted): Promise<void> {
    this.#run += 1;
    this.#wanted = wanted;
    this.rows = [];
    this.next = null;
    this.loaded = false;
    this.loading = false;
    this.problem = null;
    await this.refresh();
  }

  /** Reads the newest page again, and what changed of the older ones. */
  refresh(): Promise<void> {
    return coalesce(this.#key, async () => {
      const run = this.#run;
      const stale = [...this.#stale];
      this.#stale.clear();
      try {
        const page = await api.jobs({ ...this.#wanted, limit: PAGE });
        if (run !== this.#run) return;
        const rows = joined(page, this.rows);
        if (!this.loaded || rows.length === page.jobs.length) this.next = page.next ?? null;
        this.rows = rows;
        this.counts = page.counts ?? null;
        this.loaded = true;
        this.problem = null;
        const newest = new Set(page.jobs.map((job) => job.id));
        const older = stale.filter((id) => !newest.has(id) && this.rows.some((row) => row.id === id));
        for (const id of older) await this.#again(id, run);
      } catch (thrown) {
        if (run === this.#run) this.problem = asProblem(thrown);
      }
    });
  }

  async #again(id: string, run: number): Promise<void> {
    const job = await api.job(id);
    if (run === this.#run) this.rows = changed(this.rows, job, fitsState(job, this.#wanted.state));
  }

  /** Reads on, further back. */
  async more(): Promise<void> {
    if (this.loading || this.next === null) return;
    const run = this.#run;
    this.loading = true;
    try {
      const page = await api.jobs({ ...this.#wanted, before: this.next, limit: PAGE });
      if (run !== this.#run) return;
      this.rows = continued(this.rows, page);
      this.next = page.next ?? null;
    } catch (thrown) {
      if (run === this.#run) this.problem = asProblem(thrown);
    } finally {
      if (run === this.#run) this.loading = false;
    }
  }

  /** For an effect: follows what happens, and reads again what may have been missed. */
  follow(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hear = (id: string) => {
      this.#stale.add(id);
      timer ??= setTimeout(() => {
        timer = undefined;
        if (!document.hidden) void this.refresh();
      }, PAUSE);
    };
    const back = () => !document.hidden && this.loaded && void this.refresh();
    document.addEventListener('visibilitychange', back);
    const leave = [
      onEvent((event) => {
        if (!event.kind.startsWith('job.')) return;
        this.progress.delete(event.subject);
        hear(event.subject);
      }),
      onFrame((frame) => {
        if (!frame.subject.startsWith('job:')) return;
        const id = frame.subject.slice(4);
        if (frame.kind === 'progress') this.progress.set(id, frame.data as ProgressInfo);
        else if (frame.kind === 'state') hear(id);
      }),
      onLink((link) => link === 'live' && back()),
      () => document.removeEventListener('visibilitychange', back),
    ];
    return () => {
      clearTimeout(timer);
      leave.forEach((one) => one());
    };
  }
}
