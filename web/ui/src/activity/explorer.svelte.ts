// The rows of one filter: read page by page as far back as somebody scrolls, continued on top by the stream.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { EventInfo, Problem } from '../wire';
import { fits, isScan, noFilter, serverQuery, type Filter } from './filter';

const PAGE = 200;
const SCAN_PAGE = 500;
/** Rows looked through in one go before the person is asked whether to go on. */
const SCAN_MOST = 5000;
/** Rows of one request lie close together; this many after the last of them ends the search. */
const SCAN_FAR = 1500;

export class Explorer {
  rows = $state.raw<EventInfo[]>([]);
  filter = $state.raw<Filter>(noFilter);
  next = $state<number | null>(null);
  loading = $state(false);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  /** Rows looked through for the rows found. */
  searched = $state(0);
  #run = 0;

  /** Begins anew with a filter. */
  async open(filter: Filter): Promise<void> {
    this.#run += 1;
    this.filter = filter;
    this.rows = [];
    this.searched = 0;
    this.loaded = false;
    this.problem = null;
    this.next = filter.before ?? Number.MAX_SAFE_INTEGER;
    this.loading = false;
    await this.more();
  }

  /** Reads on, further back. */
  async more(): Promise<void> {
    if (this.loading || this.next === null) return;
    const run = this.#run;
    this.loading = true;
    try {
      await (isScan(this.filter) ? this.#scan(run) : this.#page(run, PAGE));
      if (run !== this.#run) return;
      this.loaded = true;
      this.problem = null;
    } catch (thrown) {
      if (run === this.#run) this.problem = asProblem(thrown);
    } finally {
      if (run === this.#run) this.loading = false;
    }
  }

  async #scan(run: number): Promise<void> {
    const [found, searched] = [this.rows.length, this.searched];
    while (run === this.#run && this.next !== null) {
      await this.#page(run, SCAN_PAGE);
      if (this.rows.length - found >= PAGE || this.searched - searched >= SCAN_MOST) return;
      const last = this.rows.at(-1);
      if (this.filter.correlation && last && this.next !== null && last.seq - this.next > SCAN_FAR) this.next = null;
    }
  }

  async #page(run: number, limit: number): Promise<void> {
    const before = this.next === Number.MAX_SAFE_INTEGER ? null : this.next;
    const page = await api.history({ ...serverQuery(this.filter), before, limit });
    if (run !== this.#run) return;
    this.searched += page.events.length;
    const known = this.rows.at(-1)?.seq ?? Infinity;
    const wanted = page.events.filter((event) => event.seq < known && fits(event, this.filter));
    // Live rows that came in meanwhile stand on top already.
    this.rows = [...this.rows, ...wanted];
    this.next = page.next ?? null;
  }

  /** For an effect: takes new rows from the stream. */
  follow(): () => void {
    return onEvent((event) => {
      // Also while the first page is on its way: what came in meanwhile may not be on it.
      if (event.seq >= (this.filter.before ?? Infinity) || !fits(event, this.filter)) return;
      if (event.seq > (this.rows[0]?.seq ?? 0)) this.rows = [event, ...this.rows];
    });
  }
}
