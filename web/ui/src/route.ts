// Which page a path means. Pure, so that it can be tested without a browser.

export type Page = 'overview' | 'chat' | 'approvals' | 'activity' | 'jobs' | 'tools' | 'settings' | 'systems' | 'more' | 'setup' | 'lost';

export interface Route {
  page: Page;
  /** Second part of the path: a conversation, a job, a tool. */
  id: string | null;
}

const pages = new Map<string, Page>([
  ['', 'overview'],
  ['chat', 'chat'],
  ['approvals', 'approvals'],
  ['activity', 'activity'],
  ['jobs', 'jobs'],
  ['tools', 'tools'],
  ['settings', 'settings'],
  ['systems', 'systems'],
  ['more', 'more'],
  ['setup', 'setup'],
]);

export function parse(pathname: string): Route {
  const [first = '', second, ...rest] = pathname.split('/').slice(1).filter((part, at) => part !== '' || at === 0);
  const page = rest.length === 0 ? pages.get(first) : undefined;
  if (page === undefined) return { page: 'lost', id: null };
  return { page, id: second === undefined ? null : decode(second) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
