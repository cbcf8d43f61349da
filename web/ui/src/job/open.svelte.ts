// One job as it goes on: read when an event or a frame is about it, its output piece by piece after those it has.

import { api, asProblem } from '../api';
import { coalesce } from '../state/coalesce';
import { onEvent, onFrame, onLink } from '../stream/hub';
import type { FrameInfo, JobInfo, Problem, ProgressInfo } from '../wire';
import { grown, whole } from './lines';
import { isOpen } from './words';

/** Pieces that are read at once, as many as the server gives. */
const PIECES = 500;
/** As much as the server keeps of one job; what came later is not there. */
const MOST_PIECES = 4096;
const MOST_TEXT = 1024 * 1024 - 16 * 1024;

let opened = 0;

export class OpenJob {
  job = $state.raw<JobInfo | null>(null);
  problem = $state.raw<Problem | null>(null);
  shown = $state.raw<ProgressInfo | null>(null);
  pieces = $state(0);
  /** Its own, so that one that was left answers for no other. */
  readonly #key = `job ${(opened += 1)}`;
  #text = $state(0);
  #lines = $state.raw<string[]>([]);

  lines = $derived(whole(this.#lines));
  full = $derived(this.pieces >= MOST_PIECES || this.#text >= MOST_TEXT);
  open = $derived(this.job !== null && isOpen(this.job));
  progress = $derived(this.open ? (this.shown ?? this.job?.progress) : this.job?.progress);

  constructor(readonly id: string) {}

  load(): Promise<void> {
    return coalesce(this.#key, async () => {
      try {
        this.job = await api.job(this.id);
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
        return;
      }
      if (this.job.chunks > this.pieces) await this.#pull();
    });
  }

  #pull(): Promise<void> {
    return coalesce(`${this.#key} output`, async () => {
      try {
        for (let full = true; full; ) {
          const { output } = await api.jobOutput(this.id, this.pieces, PIECES);
          const fresh = output.filter((piece) => piece.number > this.pieces);
          this.#lines = grown(this.#lines, fresh.map((piece) => piece.text));
          this.#text += fresh.reduce((sum, piece) => sum + piece.text.length, 0);
          this.pieces = fresh.at(-1)?.number ?? this.pieces;
          full = fresh.length === PIECES;
        }
      } catch { /* read on with the next frame or event */ }
    });
  }

  /** For an effect: follows it for as long as it is on the screen. */
  follow(): () => void {
    void this.load();
    const leave = [
      onEvent((event) => event.subject === this.id && void this.load()),
      onFrame((frame) => frame.subject === `job:${this.id}` && this.#take(frame)),
      // Frames are not repeated after an interruption.
      onLink((link) => link === 'live' && void this.load()),
    ];
    return () => leave.forEach((one) => one());
  }

  #take(frame: FrameInfo): void {
    if (frame.kind === 'progress') this.shown = frame.data as ProgressInfo;
    else if (frame.kind === 'output' && (frame.data as { chunks?: number }).chunks !== this.pieces) void this.#pull();
    else if (frame.kind === 'state') void this.load();
  }
}
