// The history of a job: the audit's rows of it, of its approval and of its call, newest first.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { EventInfo, JobInfo, Problem } from '../wire';

const MOST = 100;

export class Story {
  rows = $state.raw<EventInfo[]>([]);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  #known = new Set<string>();

  /** Reads of each subject once; what comes later comes by the stream. */
  async about(job: JobInfo): Promise<void> {
    const subjects = [job.id, job.approval, job.answer?.call].filter((one): one is string => one != null && !this.#known.has(one));
    subjects.forEach((one) => this.#known.add(one));
    try {
      const pages = await Promise.all(subjects.map((subject) => api.history({ subject, limit: MOST })));
      for (const page of pages) page.events.forEach((event) => this.#keep(event));
      this.loaded = true;
      this.problem = null;
    } catch (thrown) {
      subjects.forEach((one) => this.#known.delete(one));
      this.problem = asProblem(thrown);
    }
  }

  follow(): () => void {
    return onEvent((event) => this.#known.has(event.subject) && this.#keep(event));
  }

  #keep(event: EventInfo): void {
    if (this.rows.some((row) => row.seq === event.seq)) return;
    this.rows = [event, ...this.rows].sort((a, b) => b.seq - a.seq).slice(0, MOST);
  }
}
