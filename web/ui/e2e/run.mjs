// `npm run e2e [words]`: the real server, the real page, a real browser. Words choose tests by their name.

import { executable } from './browser.mjs';
import { clean, hasDocker } from './docker.mjs';
import { finish, skip } from './harness.mjs';
import { activity } from './suite/activity.mjs';
import { comingBack } from './suite/again.mjs';
import { denying, docker, makeContainers } from './suite/approve.mjs';
import { importing } from './suite/env.mjs';
import { grants } from './suite/grant.mjs';
import { identity } from './suite/identity.mjs';
import { jobs, jobsWithDocker, makeJobContainer } from './suite/job.mjs';
import { keyboardOnly } from './suite/keyboard.mjs';
import { killing } from './suite/kill.mjs';
import { mounts } from './suite/mount.mjs';
import { phone } from './suite/phone.mjs';
import { secrets } from './suite/secret.mjs';
import { settings } from './suite/setting.mjs';
import { sight } from './suite/sight.mjs';
import { signing } from './suite/sign.mjs';
import { talking } from './suite/talk.mjs';
import { tools } from './suite/tool.mjs';
import { World } from './world.mjs';

const DOCKER_TESTS = 5;

if (!executable) {
  console.log('skipped: needs Chromium (set JARVIS_TEST_CHROMIUM)');
  process.exit(process.env.JARVIS_CI === '1' ? 1 : 0);
}

// The network has come to rest by the time the server and the browser have started.
if (hasDocker) {
  makeContainers();
  makeJobContainer();
}
const world = await World.create();
try {
  await signing(world);
  await talking(world);
  await tools(world);
  await denying(world);
  await grants(world);
  await secrets(world);
  await importing(world);
  await mounts(world);
  await jobs(world);
  if (hasDocker) {
    await docker(world);
    await jobsWithDocker(world);
  } else skip('needs a Docker engine', DOCKER_TESTS);
  await killing(world);
  await settings(world);
  await identity(world);
  await activity(world);
  await comingBack(world);
  await keyboardOnly(world);
  await phone(world);
  await sight(world);
} finally {
  if (hasDocker) clean();
  await world.end();
}
process.exitCode = finish();
