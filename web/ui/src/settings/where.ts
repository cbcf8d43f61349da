// How a command on this machine finds this very Jarvis.

import type { DoctorReport } from '../wire';

/** His data directory as an option, unless it is the usual one. */
export function whereOf(report: DoctorReport | null): string[] {
  const data = report?.findings.find((finding) => finding.what === 'data directory')?.found ?? '';
  return /^\/\S+$/.test(data) && !data.endsWith('/.local/share/jarvis') ? ['--data', data] : [];
}
