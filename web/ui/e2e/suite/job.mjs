// Jobs and schedules: handed in from a form, followed to their end, decided where they wait, made again and again.

import { check, same, until } from '../harness.mjs';
import { names, runContainer, startedAt } from '../docker.mjs';

let resting;

/** Before anything is asked, because Jarvis remembers for a while which containers there are. */
export function makeJobContainer() {
  resting = runContainer('job');
}

const idOf = (page) => new URL(page.url()).pathname.split('/')[2];
const jobOf = async (world, id) => (await world.api(`/jobs/${id}`)).body;
const fetching = (what) => ({ method: 'POST', body: { tool: 'http_fetch', args: { url: `https://example.org/${what}` } } });

export async function jobs(world) {
  const { page } = world;
  const rows = () => page.locator('section[aria-label="Jobs"] tbody tr');

  await world.test('without a job or a schedule the page teaches how to make them', async () => {
    await world.open('/jobs');
    await page.getByText('jarvis job start system_info').waitFor();
    await page.getByText('jarvis schedule add nightly --cron "30 4 * * *" --zone Europe/Berlin').waitFor();
  });

  await world.test('a form hands its call in as a job, whose page shows it to its end with the result', async () => {
    await world.open('/tools/system_info');
    await page.getByRole('button', { name: 'Run as job' }).click();
    await page.waitForURL(/\/jobs\/job_/);
    await page.getByRole('region', { name: 'Result' }).getByText('system_info').first().waitFor();
    await until('it says that it is done', async () => (await page.locator('.view header [role=status]').textContent())?.includes('done'));
    await page.locator('section[aria-label="History"]').getByText('job done').first().waitFor();
    const job = await jobOf(world, idOf(page));
    same([job.state, job.title, job.face], ['done', 'system_info', 'dashboard'], 'the job');
  });

  await world.test('what a job says while it runs stands in its output', async () => {
    await world.open('/tools/system_disks');
    await page.locator('form').getByRole('checkbox').check();
    await page.getByRole('button', { name: 'Run as job' }).click();
    await page.waitForURL(/\/jobs\/job_/);
    await page.locator('section[aria-label="Output"]').getByRole('region', { name: 'log' }).getByText('measuring /').first().waitFor();
    await page.getByRole('region', { name: 'Result' }).getByText('system_disks').first().waitFor({ timeout: 60_000 });
    const { output } = (await world.api(`/jobs/${idOf(page)}/output`)).body;
    check(output.some((piece) => piece.text.includes('measuring /')), 'it is kept');
  });

  await world.test('the list takes a job that is handed in elsewhere, filters by state, and opens one by keyboard', async () => {
    await world.open('/jobs');
    await until('the first job is listed', async () => (await rows().count()) >= 1);
    const started = world.server.cli('job', 'start', 'system_disks');
    same(started.code, 0, `the job from a terminal (${started.err})`);
    await until('it stands on top and is done', async () => /done.*system_disks/s.test((await rows().first().textContent()) ?? ''));
    await page.getByRole('group', { name: 'State' }).getByRole('button', { name: /^failed/ }).click();
    await page.getByText('No job is failed').waitFor();
    same(new URL(page.url()).search, '?state=failed', 'the filter has an address');
    await page.getByRole('button', { name: 'show all' }).click();
    await until('all are there', async () => (await rows().count()) >= 2);
    await page.evaluate(() => document.activeElement?.blur());
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/jobs\/job_/);
    same((await jobOf(world, idOf(page))).title, 'system_disks', 'the first row');
    await page.keyboard.press('Escape');
    await until('Escape goes back', async () => new URL(page.url()).pathname === '/jobs');
  });

  await world.test('a job that waits for approval is cancelled, and its card with it', async () => {
    const handed = await world.api('/jobs', fetching('job-cancelled'));
    same(handed.status, 202, 'it was taken');
    const { id } = handed.body;
    await world.open(`/jobs/${id}`);
    const card = page.locator('main [data-approval]');
    await card.waitFor();
    await page.getByRole('button', { name: 'Cancel the job' }).click();
    await card.waitFor({ state: 'detached' });
    await until('it is cancelled', async () => (await jobOf(world, id)).state === 'cancelled');
    await until('and says so', async () => (await page.locator('.view header [role=status]').textContent())?.includes('cancelled'));
    const { approval } = await jobOf(world, id);
    check((await world.api(`/approvals/${approval}`)).body.state !== 'pending', 'nobody is asked any more');
  });

  await world.test('a denied job is failed, says what to do, and opens its form with the same arguments', async () => {
    const { id } = (await world.api('/jobs', fetching('job-denied'))).body;
    await world.open(`/jobs/${id}`);
    const card = page.locator('main [data-approval]');
    await card.waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('d');
    await page.getByLabel('Why not').fill('not now');
    await page.keyboard.press('Enter');
    await page.getByRole('region', { name: 'What to do' }).getByText('is not tried again').waitFor();
    same((await jobOf(world, id)).state, 'failed', 'the job');
    await page.getByRole('link', { name: 'open in its form' }).click();
    await page.waitForURL(/\/tools\/http_fetch/);
    same(await page.getByLabel('url', { exact: true }).inputValue(), 'https://example.org/job-denied', 'the address');
  });

  await world.test('a schedule is made with its next run, refused at the field that is wrong, paused, resumed and removed', async () => {
    await world.open('/jobs');
    await page.getByRole('button', { name: 'New schedule' }).click();
    const form = page.getByRole('dialog', { name: 'New schedule' });
    await form.getByRole('button', { name: 'Make the schedule' }).click();
    await form.getByText('choose one').waitFor();
    await form.getByLabel('Name').fill('every minute');
    await form.getByLabel('Tool').selectOption('file_list');
    await form.getByLabel('path', { exact: true }).fill('e2e');
    await form.getByLabel('Cron').fill('61 * * * *');
    await form.getByRole('button', { name: 'Make the schedule' }).click();
    await form.getByText('is no timetable').waitFor();
    same(await form.getByLabel('Cron').getAttribute('aria-invalid'), 'true', 'the field is marked');
    await form.getByLabel('Cron').fill('* * * * *');
    await form.getByLabel('Zone').fill('Mars/Olympus');
    await form.getByRole('button', { name: 'Make the schedule' }).click();
    await form.getByText('is no time zone').waitFor();
    await form.getByLabel('Zone').fill('Europe/Berlin');
    await form.getByRole('button', { name: 'Make the schedule' }).click();
    await form.waitFor({ state: 'detached' });
    const row = page.locator('section:has(> header h2:text-is("Schedules")) tbody tr').filter({ hasText: 'every minute' });
    const listed = async () => (await world.api('/schedules')).body.schedules.find((one) => one.name === 'every minute');
    await until('its next run is shown', async () => /\d\d:\d\d in /.test((await row.textContent()) ?? ''));
    const made = await listed();
    same([made.payload.args.path, made.zone, made.active], ['e2e', 'Europe/Berlin', true], 'what is kept');
    check(made.next_at - Date.now() <= 61_000, 'it runs within a minute');
    await row.getByRole('button', { name: 'pause' }).click();
    await row.getByText('paused', { exact: true }).first().waitFor();
    same([(await listed()).active, (await listed()).next_at ?? null], [false, null], 'it rests');
    await row.getByRole('button', { name: 'resume' }).click();
    await row.getByText('active', { exact: true }).waitFor();
    await row.getByRole('button', { name: 'remove' }).click();
    await row.getByRole('button', { name: 'press to remove' }).waitFor();
    check((await listed()) !== undefined, 'one press removes nothing');
    await row.getByRole('button', { name: 'press to remove' }).click();
    await row.waitFor({ state: 'detached' });
    same(await listed(), undefined, 'it is gone');
  });

  await world.test('a form that is filled in becomes a schedule with the same arguments', async () => {
    await world.open('/tools/file_read?path=e2e/note.txt');
    await page.getByRole('button', { name: 'schedule it' }).click();
    const form = page.getByRole('dialog', { name: 'New schedule' });
    await form.waitFor();
    same([await form.getByLabel('Tool').inputValue(), await form.getByLabel('path', { exact: true }).inputValue()], ['file_read', 'e2e/note.txt'], 'the form');
    await page.keyboard.press('Escape');
  });
}

export async function jobsWithDocker(world) {
  const { page } = world;

  await world.test('an orange job waits with its card, is approved there, and is done to exactly that container', async () => {
    const before = startedAt(resting);
    await world.open(`/tools/docker_stop?container=${resting}`);
    await page.locator('section[aria-label="What would happen"]').getByText('asks for approval').waitFor();
    await page.getByRole('button', { name: 'Run as job' }).click();
    await page.waitForURL(/\/jobs\/job_/);
    const card = page.locator('main [data-approval]').filter({ hasText: resting });
    await card.waitFor();
    same((await jobOf(world, idOf(page))).state, 'waiting', 'the job');
    await page.keyboard.press('j');
    await page.keyboard.press('a');
    await until('it is done', async () => (await page.locator('.view header [role=status]').textContent())?.includes('done'), 40_000);
    await page.getByRole('region', { name: 'Result' }).getByText('docker_stop').first().waitFor();
    const history = page.locator('section[aria-label="History"]');
    for (const words of ['asks', 'approved', 'begun', 'job done']) await history.getByText(words).first().waitFor({ state: 'attached' });
    check(names().includes(resting) && startedAt(resting) === before, 'it is stopped and was not begun anew');
  });
}
