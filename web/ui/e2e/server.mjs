// The real binary on a data directory and port of its own.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../../..');
const binary = process.env.JARVIS_BIN ?? join(root, 'target/debug/jarvis');

const freePort = () =>
  new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });

export class Server {
  #process = null;
  output = '';

  constructor(data, port) {
    this.data = data;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async create() {
    return new Server(mkdtempSync(join(tmpdir(), 'jarvis-e2e-')), await freePort());
  }

  get environment() {
    const { JARVIS_TEST_DOCKER, JARVIS_TEST_DBUS, PATH, HOME } = process.env;
    // Without a lab engine nothing real may be touched, so the socket named then is none.
    return {
      PATH, HOME, JARVIS_LOG: 'warn',
      JARVIS_DOCKER: JARVIS_TEST_DOCKER ?? `unix://${join(this.data, 'no-docker.sock')}`,
      JARVIS_DBUS: JARVIS_TEST_DBUS ?? `unix:path=${join(this.data, 'no-dbus.sock')}`,
    };
  }

  async start() {
    const child = spawn(binary, ['serve', '--data', this.data, '--listen', `127.0.0.1:${this.port}`], { env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    const take = (piece) => (this.output += piece);
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const end = Date.now() + 30_000;
    while (Date.now() < end) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${this.output}`);
      const answers = await fetch(`${this.url}/healthz`).then((answer) => answer.ok, () => false);
      if (answers) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`the server does not answer at ${this.url}:\n${this.output}`);
  }

  /** The one-time link that the first start prints. */
  get link() {
    return /https?:\/\/\S+#code=\S+/.exec(this.output)?.[0];
  }

  /** As the power would take it: nothing is put in order. */
  async kill() {
    const child = this.#process;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }

  /** The command line on the same machine. */
  cli(...args) {
    const done = spawnSync(binary, ['--data', this.data, ...args], { env: this.environment, encoding: 'utf8', timeout: 30_000 });
    return { code: done.status, out: done.stdout, err: done.stderr };
  }

  async stop() {
    if (this.#process && this.#process.exitCode === null) await this.kill();
    rmSync(this.data, { recursive: true, force: true });
  }
}
