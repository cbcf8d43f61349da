// Tokens, and the secret of the one just made: kept in memory until its panel goes.

import { api, asProblem } from '../api';
import { coalesce } from '../state/coalesce';
import { onEvent } from '../stream/hub';
import { count, when } from '../text/format';
import { visible } from '../text/visible';
import type { Problem, TokenBody, TokenInfo } from '../wire';

const DAY = 24 * 60;

export const roles = ['client', 'approver', 'viewer', 'guest'];

const hints: Record<string, string> = {
  client: 'A program or a model that acts: asks for anything up to its ceiling, and decides nothing.',
  approver: 'A bot that relays decisions: approves up to its ceiling. It cannot be used over MCP, where a model may stand behind it.',
  viewer: 'A display or a monitor: calls green tools and sees the state. It cannot talk, and leaves nothing behind.',
  guest: 'Somebody who is let in for a while: talks and calls green tools on its targets, and sees nothing but its own.',
};

export const roleHint = (role: string): string => hints[role] ?? '';

/** How long a token may live, in minutes. */
export const lives = [
  { minutes: DAY, word: 'in 1 day' },
  { minutes: 7 * DAY, word: 'in 7 days' },
  { minutes: 30 * DAY, word: 'in 30 days' },
  { minutes: 90 * DAY, word: 'in 90 days' },
  { minutes: 365 * DAY, word: 'in 1 year' },
];

/** Targets as they were typed, commas between them. */
export const targetList = (typed: string): string[] => typed.split(',').map((one) => one.trim()).filter((one) => one !== '');

/** What it may beside its tier, in few words. */
export function termWords(token: TokenInfo): string {
  const words = [token.targets.length > 0 ? `on ${token.targets.map(visible).join(', ')}` : 'on everything'];
  if (token.role === 'client') words.push(`confirms ${token.confirm}`);
  if (token.per_minute != null) words.push(`${count(token.per_minute)} a minute`);
  return words.join(' · ');
}

/** When it was used last, and how it ends or ended. */
export function lifeWords(token: TokenInfo): string {
  if (token.revoked_at != null) return `revoked ${when(token.revoked_at)}`;
  if (token.state === 'expired') return `ended ${when(token.expires_at ?? 0)}`;
  const used = token.used_at ? `used ${when(token.used_at)}` : 'never used';
  return token.expires_at == null ? used : `${used} · ends ${when(token.expires_at)}`;
}

class Tokens {
  list = $state.raw<TokenInfo[]>([]);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  made = $state.raw<TokenInfo | null>(null);
  living = $derived(this.list.filter((token) => token.state === 'active'));
  ended = $derived(this.list.filter((token) => token.state !== 'active'));

  load(): Promise<void> {
    return coalesce('tokens', async () => {
      try {
        this.list = (await api.tokens()).tokens;
        this.loaded = true;
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  async create(body: TokenBody): Promise<void> {
    this.made = await api.newToken(body);
    await this.load();
  }

  async revoke(token: TokenInfo): Promise<void> {
    await api.revokeToken(token.id);
    if (this.made?.id === token.id) this.made = null;
    await this.load();
  }

  constructor() {
    onEvent((event) => {
      if (this.loaded && event.kind.startsWith('token.')) void this.load();
    });
  }
}

export const tokens = new Tokens();
