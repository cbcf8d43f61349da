// What is wrong with settings, by field. The server checks the same and has the last word; its sentence begins with the
// name of the field, which is how it finds its place.

import type { ModelInfo, SettingsInfo } from '../wire';

export type Faults = Record<string, string>;

export function faultsOf(given: SettingsInfo): Faults {
  const faults: Faults = {};
  within(faults, 'approval_minutes', given.approval_minutes, 1, 1440);
  within(faults, 'mcp_hold_seconds', given.mcp_hold_seconds, 0, 50);
  (given.autonomy.rules ?? []).forEach((rule, at) => {
    if (!rule.capability && !rule.target) faults[`autonomy.rules[${at}]`] = 'name a capability, a target, or both';
  });
  (given.roots ?? []).forEach((root, at, all) => {
    if (!root.path.startsWith('/') || root.path.split('/').includes('..')) faults[`roots[${at}]`] = 'an absolute path without ..';
    else if (all.findIndex((other) => other.path === root.path) < at) faults[`roots[${at}]`] = 'stands there twice';
  });
  (given.hosts ?? []).forEach((host, at) => {
    if (!/^(\*\.[a-z0-9_-]+(\.[a-z0-9_-]+)+|[a-z0-9_-]+(\.[a-z0-9_-]+)*)$/i.test(host)) faults[`hosts[${at}]`] = 'a name such as example.org or *.example.org';
  });
  if (given.model) model(faults, given.model);
  return faults;
}

function model(faults: Faults, given: ModelInfo): void {
  let url: URL | null = null;
  try {
    url = new URL(given.url.trim());
  } catch { /* said below */ }
  if (url === null || !/^https?:$/.test(url.protocol)) faults['model.url'] = 'an address such as http://127.0.0.1:11434/v1';
  else if (url.username || url.password) faults['model.url'] = 'without name or password; use a key by reference';
  else if (url.search || url.hash) faults['model.url'] = 'without ? or #';
  if (given.key && !/^(secret:\/\/[A-Za-z0-9_.-]{1,64}|env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+)$/.test(given.key)) faults['model.key'] = 'a reference, never the key itself: secret://NAME, env:NAME or file:/path';
  within(faults, 'model.context', given.context, 2048, 2_000_000);
}

function within(faults: Faults, field: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) faults[field] = `a whole number from ${least.toLocaleString('en-GB')} to ${most.toLocaleString('en-GB')}`;
}

const heads = ['approval_minutes', 'mcp_hold_seconds', 'audit_reads', 'autonomy.default', 'model.url', 'model.name', 'model.key', 'model.context', 'model'];

/** The field that a sentence of the server is about; empty when it names none. */
export function fieldOf(detail: string, given: SettingsInfo): string {
  const rule = /^autonomy\.rules\[(\d+)\]/.exec(detail);
  if (rule) return rule[0];
  const quoted = /`([^`]*)`/.exec(detail)?.[1];
  for (const [list, values] of [['roots', (given.roots ?? []).map((root) => root.path)], ['hosts', given.hosts ?? []]] as const) {
    if (!detail.startsWith(list)) continue;
    const at = values.lastIndexOf(quoted ?? '');
    return at >= 0 ? `${list}[${at}]` : list;
  }
  return heads.find((head) => detail.startsWith(head)) ?? '';
}

/** Whether an address is one of this machine or of a private network, where nothing leaves the house. */
export function isHome(address: string): boolean {
  let host: string;
  try {
    host = new URL(address).hostname.replace(/^\[|\]$/g, '');
  } catch {
    return true;
  }
  if (host === 'localhost' || host === '::1' || /^f[cd]|^fe80/i.test(host)) return true;
  if (/^(127|10)\.|^192\.168\.|^169\.254\.|^172\.(1[6-9]|2\d|3[01])\./.test(host)) return true;
  return !host.includes('.') || /\.(local|lan|home|internal|home\.arpa)$/i.test(host);
}
