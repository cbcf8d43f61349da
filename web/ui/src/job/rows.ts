// The rows of a list of jobs that grows at both ends. Ids are ordered by time, so a page says what stands between its
// first job and its last.

import type { JobInfo, JobPage } from '../wire';

/** The newest page was read again: it holds for its span, and what is older stays. */
export function joined(page: JobPage, rows: JobInfo[]): JobInfo[] {
  const last = page.next == null ? undefined : page.jobs.at(-1)?.id;
  return last === undefined ? page.jobs : [...page.jobs, ...rows.filter((row) => row.id < last)];
}

/** The next older page came. */
export function continued(rows: JobInfo[], page: JobPage): JobInfo[] {
  const last = rows.at(-1)?.id;
  return [...rows, ...page.jobs.filter((job) => last === undefined || job.id < last)];
}

/** One job was read again; it goes when it does not belong into the list any more. */
export function changed(rows: JobInfo[], job: JobInfo, fits: boolean): JobInfo[] {
  return rows.flatMap((row) => (row.id !== job.id ? [row] : fits ? [job] : []));
}
