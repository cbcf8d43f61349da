// The lab's Docker engine, spoken to by its own command line and not by Jarvis: the second witness.

import { spawnSync } from 'node:child_process';

const host = process.env.JARVIS_TEST_DOCKER;
const image = process.env.JARVIS_TEST_IMAGE ?? 'busybox:latest';
const mark = `e2e-${process.pid}`;

export const hasDocker = Boolean(host) && run('version').status === 0;

function run(...args) {
  return spawnSync('docker', ['-H', host, ...args], { encoding: 'utf8', timeout: 60_000 });
}

function must(...args) {
  const done = run(...args);
  if (done.status !== 0) throw new Error(`docker ${args.join(' ')}: ${done.stderr}`);
  return done.stdout.trim();
}

/** Runs a container that only waits. Its name ends with what it is for. */
export function runContainer(what) {
  const name = `${mark}-${what}`;
  must('run', '-d', '--name', name, '--label', `jarvis.e2e=${mark}`, image, 'sh', '-c', 'trap "exit 0" TERM; echo ready; while true; do sleep 1; done');
  return name;
}

export const names = () => must('ps', '-a', '--format', '{{.Names}}').split('\n').filter(Boolean).sort();
export const startedAt = (name) => must('inspect', '-f', '{{.State.StartedAt}}', name);

export const runs = (name) => must('inspect', '-f', '{{.State.Running}}', name) === 'true';

/** Removes what these tests made. */
export function clean() {
  const left = run('ps', '-aq', '--filter', `label=jarvis.e2e=${mark}`).stdout?.split('\n').filter(Boolean) ?? [];
  if (left.length > 0) run('rm', '-f', ...left);
}
