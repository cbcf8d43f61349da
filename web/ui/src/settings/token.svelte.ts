// Tokens, and the secret of the one just made: kept in memory until its panel goes.

import { api, asProblem } from '../api';
import { coalesce } from '../state/coalesce';
import { onEvent } from '../stream/hub';
import type { Problem, TokenBody, TokenInfo } from '../wire';

class Tokens {
  list = $state.raw<TokenInfo[]>([]);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  made = $state.raw<TokenInfo | null>(null);
  living = $derived(this.list.filter((token) => token.revoked_at == null));
  revoked = $derived(this.list.filter((token) => token.revoked_at != null));

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
