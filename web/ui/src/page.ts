// The page of each route. Every page is its own file, loaded when it is first opened.

import type { Component } from 'svelte';
import Systems from './frame/Systems.svelte';
import type { Page } from './route';

type Load = () => Promise<{ default: Component }>;

export const pageOf: Record<Exclude<Page, 'setup'>, Load> = {
  overview: () => import('./overview/Overview.svelte'),
  chat: () => import('./chat/ChatPage.svelte'),
  approvals: () => import('./approval/ApprovalsPage.svelte'),
  activity: () => import('./activity/ActivityPage.svelte'),
  jobs: () => import('./job/JobsPage.svelte'),
  tools: () => import('./tools/ToolsPage.svelte'),
  settings: () => import('./settings/SettingsPage.svelte'),
  systems: () => Promise.resolve({ default: Systems }),
  more: () => import('./frame/More.svelte'),
  lost: () => import('./frame/Lost.svelte'),
};
