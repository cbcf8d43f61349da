// What the frame shows: kill switch, level, warnings, audit, and how well the stream runs.

import { api } from '../api';
import { onEvent, onLink } from '../stream/hub';
import type { Link } from '../stream/message';
import type { AuditReport, StatusInfo } from '../wire';
import { coalesce } from './coalesce';

const telling = /^(kill|setting|mount|policy|operator|approval|audit|server)\./;

class Status {
  info = $state.raw<StatusInfo | null>(null);
  link = $state<Link>('connecting');
  head = $state(0);
  audit = $state.raw<AuditReport | null>(null);

  /** Whether something is so wrong that the whole frame should say it. */
  alarm = $derived(
    this.info !== null &&
      (this.info.kill !== 'off' || this.audit?.ok === false || this.info.warnings.some((text) => /policy/i.test(text))),
  );
  stopped = $derived(this.info !== null && this.info.kill !== 'off');

  async load(): Promise<void> {
    const info = await api.status();
    this.info = info;
    this.audit = info.audit ?? this.audit;
    this.head = Math.max(this.head, info.head);
  }

  async verify(): Promise<AuditReport> {
    this.audit = await api.verify();
    return this.audit;
  }

  /** `effects` refuses every change, `all` reads too. */
  async stopAll(level: 'effects' | 'all' = 'effects'): Promise<void> {
    await api.stopAll(level);
    await this.load();
  }

  async resume(): Promise<void> {
    await api.resume();
    await this.load();
  }

  constructor() {
    onLink((link) => (this.link = link));
    onEvent((event) => {
      this.head = event.seq;
      if (telling.test(event.kind)) void coalesce('status', () => this.load().catch(() => {}));
    });
  }
}

export const status = new Status();
