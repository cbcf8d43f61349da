// Tabs of the stage: the pages, and the things that were opened and kept.

import { layout } from './layout.svelte';
import { router } from '../router.svelte';

export interface Tab { path: string; word: string; kept?: boolean }

export const pages: Tab[] = [
  { path: '/', word: 'Overview' },
  { path: '/chat', word: 'Chat' },
  { path: '/approvals', word: 'Approvals' },
  { path: '/activity', word: 'Activity' },
  { path: '/jobs', word: 'Jobs' },
  { path: '/tools', word: 'Tools' },
  { path: '/settings', word: 'Settings' },
];

const systems: Tab = { path: '/systems', word: 'Systems' };

const KEY = 'jarvis.tabs';
const MOST = 4;

class Tabs {
  kept = $state<Tab[]>(read());
  /** Systems is a page only where its column has no room. */
  all = $derived([...pages, ...(layout.systems ? [] : [systems]), ...this.kept]);

  /** Keeps the page of a thing as a tab. */
  keep(path: string, word: string): void {
    if (this.kept.some((tab) => tab.path === path)) return;
    this.#set([...this.kept.slice(1 - MOST), { path, word, kept: true }]);
  }

  close(path: string): void {
    this.#set(this.kept.filter((tab) => tab.path !== path));
    if (router.path === path) router.go('/' + path.split('/')[1]);
  }

  isShown(tab: Tab): boolean {
    if (tab.kept || tab.path === '/') return router.path === tab.path;
    const within = router.path === tab.path || router.path.startsWith(tab.path + '/');
    return within && !this.kept.some((other) => other.path === router.path);
  }

  #set(kept: Tab[]): void {
    this.kept = kept;
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  }
}

function read(): Tab[] {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as Tab[];
  } catch {
    return [];
  }
}

export const tabs = new Tabs();
