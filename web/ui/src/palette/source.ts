// Where the choices come from. Everything is at hand already, except tools and conversations, which are read once.

import { keys } from '../keys.svelte';
import { router } from '../router.svelte';
import { ask } from '../state/ask';
import { catalogue } from '../state/catalogue.svelte';
import { conversations } from '../state/conversations.svelte';
import { estate } from '../state/estate.svelte';
import { mode, modes } from '../state/mode.svelte';
import { notices } from '../state/notice.svelte';
import { session } from '../state/session.svelte';
import { status } from '../state/status.svelte';
import { pages } from '../state/tab.svelte';
import { plural, when } from '../text/format';
import type { ToolInfo } from '../wire';
import { firstSentence } from '../tools/family';
import { fieldsOf } from '../tools/schema';
import type { Choice, Scope } from './choice';

const attempt = (run: () => Promise<unknown>) => () => run().catch((thrown: unknown) => notices.problem(thrown));
const modeWord = { hud: 'HUD', daylight: 'Daylight', alert: 'Alert' };

export function pageChoices(): Choice[] {
  return pages.map((tab, at) => ({ key: `page ${tab.path}`, kind: 'page', word: tab.word, more: '', hint: String(at + 1), run: () => router.go(tab.path) }));
}

export function actionChoices(): Choice[] {
  const kill: Choice = status.stopped
    ? { key: 'resume', kind: 'action', word: 'Resume', more: 'release the kill switch', guarded: 'Enter again to resume', also: 'kill switch start go', run: attempt(() => status.resume()) }
    : { key: 'stop', kind: 'action', word: 'Stop all', more: 'kill switch: cancels what runs, refuses every change', guarded: 'Enter again to stop all', tier: 'red', also: 'emergency halt', run: attempt(() => status.stopAll()) };
  return [
    { key: 'new chat', kind: 'action', word: 'New chat', more: '', also: 'conversation', run: () => router.go('/chat') },
    { key: 'verify', kind: 'action', word: 'Verify the audit', more: 'checks every row, body and the seal', run: attempt(verify) },
    kill,
    ...modes.map((one): Choice => ({ key: `mode ${one}`, kind: 'action', word: `Mode: ${modeWord[one]}`, more: mode.shown === one ? 'shown now' : '', also: 'theme dark light colour', run: () => mode.choose(one) })),
    { key: 'pin', kind: 'action', word: mode.pinned ? 'Let Alert come by itself' : 'Keep this mode', more: mode.pinned ? '' : 'also when something is wrong', also: 'pin theme', run: () => mode.pin(!mode.pinned) },
    { key: 'keys', kind: 'action', word: 'Keys', more: 'every shortcut of this page', hint: '?', also: 'shortcuts help keyboard', run: () => setTimeout(showKeys) },
    { key: 'token', kind: 'action', word: 'Tokens and connections', more: 'connect an IDE', also: 'mcp claude vscode cursor', run: () => router.go('/settings') },
    { key: 'mounts', kind: 'action', word: 'MCP servers', more: 'tools of others, mounted here', also: 'mount server review', run: () => router.go('/settings?mounts') },
    { key: 'sign out', kind: 'action', word: 'Sign out', more: 'nothing that runs stops', also: 'log out leave', run: attempt(() => session.signOut()) },
  ];
}

function showKeys(): void {
  const shortcut = keys.list.find((one) => one.key === '?');
  shortcut?.run(new KeyboardEvent('keydown', { key: '?' }));
}

async function verify(): Promise<void> {
  const report = await status.verify();
  if (report.ok) notices.say(`The audit is whole: ${plural(report.rows, 'row')} checked.`, '/activity');
  else notices.problem(new Error(report.faults[0] ?? 'The audit does not fit together.'));
}

export function toolChoices(): Choice[] {
  return catalogue.tools.map((tool) => ({
    key: `tool ${tool.name}`, kind: 'tool', word: tool.name, more: firstSentence(tool.description), tier: tool.tier, also: tool.examples.join(' '), run: () => router.go(`/tools/${tool.name}`),
  }));
}

export function thingChoices(): Choice[] {
  const containers = (estate.containers.value ?? []).map((one): Choice => ({
    key: `container ${one.id}`, kind: 'container', word: one.name, more: one.image, state: one.health === 'unhealthy' ? 'unhealthy' : one.state, scope: { entity: 'container', name: one.name },
  }));
  const services = (estate.services.value ?? []).map((one): Choice => {
    const name = one.name.replace(/\.service$/, '');
    return { key: `service ${one.name}`, kind: 'service', word: name, more: one.description ?? '', state: one.active, scope: { entity: 'service', name } };
  });
  return [...containers, ...services];
}

export function conversationChoices(): Choice[] {
  return conversations.list.map((one) => ({
    key: `conversation ${one.id}`, kind: 'conversation', word: one.title, more: `${plural(one.turns, 'turn')} · ${when(one.updated_at)}`, run: () => router.go(`/chat/${encodeURIComponent(one.id)}`),
  }));
}

/** What can be done with one thing: every tool with a field for such a thing. */
export function scopeChoices(scope: Scope): Choice[] {
  return catalogue.tools.flatMap((tool) => {
    const field = fieldFor(tool, scope.entity);
    return field ? [callChoice(tool, field, scope.name)] : [];
  });
}

/** `restart web`: a tool and a thing in one go. */
export function callChoices(): Choice[] {
  const things = thingChoices().flatMap((choice) => (choice.scope ? [choice.scope] : []));
  return things.flatMap((scope) => scopeChoices(scope));
}

function callChoice(tool: ToolInfo, field: string, name: string): Choice {
  return {
    key: `call ${tool.name} ${name}`, kind: 'call', word: `${tool.name} ${name}`, more: firstSentence(tool.description), tier: tool.tier,
    run: () => router.go(`/tools/${tool.name}?${new URLSearchParams({ [field]: name }).toString()}`),
  };
}

const fieldFor = (tool: ToolInfo, entity: string) => fieldsOf(tool.input).find((field) => field.entity === entity)?.name;

export function askChoice(text: string): Choice {
  return { key: 'ask', kind: 'ask', word: text, more: '', run: () => ask(text) };
}
