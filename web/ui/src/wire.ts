// The JSON of the API. Answers and bodies are generated from the OpenAPI document (`cargo xtask wire`); what comes in
// the frames of the stream has no schema there and is written here, by the names of the Rust types in client/src/wire.

export type * from './wire.gen';

export type Args = Record<string, unknown>;

/** What is live and not kept: `subject` is `host`, `turn:ID`, `call:ID` or `job:ID`. */
export interface FrameInfo { subject: string; kind: string; offset?: number; data: unknown }

/** Data of a frame of kind `gauges`. Sizes in bytes, rates in bytes a second, `uptime` in seconds. */
export interface Gauges {
  cpu_percent: number;
  cores: number;
  load: [number, number, number];
  memory_used: number;
  memory_cache: number;
  memory_total: number;
  disks: DiskGauge[];
  celsius?: number | null;
  network: [number, number];
  uptime: number;
}
export interface DiskGauge { mount: string; used: number; total: number }
