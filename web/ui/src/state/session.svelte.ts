// Who is looking. Everything else is loaded only once somebody is signed in.

import { api, asProblem, onSignedOut } from '../api';
import { leave, onLink } from '../stream/hub';
import type { Problem, SessionInfo } from '../wire';

class Session {
  info = $state.raw<SessionInfo | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** Why the sign-in page is shown again, if the session ended by itself. */
  ended = $state(false);

  async load(): Promise<void> {
    try {
      this.info = await api.session();
      this.problem = null;
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
  }

  async signIn(password: string, code?: string): Promise<void> {
    this.info = await api.signIn(password, code);
    this.ended = false;
  }

  async setup(code: string, password: string): Promise<void> {
    this.info = await api.setup(code, password);
  }

  async signOut(): Promise<void> {
    await api.signOut();
    this.#out(false);
  }

  #out(ended: boolean): void {
    leave();
    if (!this.info?.signed_in) return;
    this.info = { ...this.info, signed_in: false };
    this.ended = ended;
  }

  constructor() {
    onSignedOut(() => this.#out(true));
    onLink((link) => link === 'out' && this.#out(true));
  }
}

export const session = new Session();
