// One server, one browser, one watched page that all tests share.

import { launch, Watch } from './browser.mjs';
import { check, test, until } from './harness.mjs';
import { Server } from './server.mjs';

export const PASSWORD = 'correct horse battery staple';

export class World {
  static async create() {
    const world = new World();
    world.server = await Server.create();
    await world.server.start();
    world.browser = await launch();
    world.watch = new Watch(world.server.url);
    world.context = await world.watch.context(world.browser);
    world.page = await world.context.newPage();
    return world;
  }

  async end() {
    await this.browser?.close();
    await this.server?.stop();
  }

  /** A test during which nothing may go wrong unseen. */
  test(name, run) {
    return test(
      name,
      async () => {
        await run();
        await this.clean();
      },
      { onFailure: async (failed) => { this.watch.take(); await this.picture(failed); } },
    );
  }

  async clean() {
    const faults = this.watch.take();
    check(faults.length === 0, `the page was not quiet:\n${faults.join('\n')}`);
    const breaches = await this.watch.breaches(this.page);
    check(breaches.length === 0, `the content policy was breached: ${breaches.join('; ')}`);
  }

  async picture(name) {
    const { screenshots } = await import('./look.mjs');
    await this.page.screenshot({ path: `${screenshots}/failed-${name.replace(/\W+/g, '-').slice(0, 60)}.png` });
  }

  /** One call over MCP, as a client without forms makes it. */
  async mcp(token, name, args) {
    const key = (word) => `io.modelcontextprotocol/${word}`;
    const _meta = { [key('protocolVersion')]: '2026-07-28', [key('clientInfo')]: { name: 'e2e', version: '1' }, [key('clientCapabilities')]: {} };
    const answer = await fetch(`${this.server.url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`, accept: 'application/json, text/event-stream', 'content-type': 'application/json',
        'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args, _meta } }),
    });
    return (await answer.json()).result;
  }

  /** Opens a path as a person would who typed it. */
  async open(path, page = this.page) {
    await page.goto(this.server.url + path);
    await this.live(page);
  }

  /** Waits for the frame and the stream. */
  async live(page = this.page) {
    await page.locator('.frame').waitFor();
    await until('the stream is live', async () => (await page.locator('footer').getByText('live', { exact: true }).count()) > 0 || (await page.locator('.frame.phone').count()) > 0);
  }

  /** Signs in on a page of another context. */
  async signIn(page) {
    await page.goto(this.server.url);
    await page.getByLabel('Operator’s password').or(page.getByLabel("Operator's password")).fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.locator('.frame').waitFor();
  }

  /** Asks the API with the page's own session. */
  api(path, options = {}, page = this.page) {
    return page.evaluate(
      async ([where, { method = 'GET', body }]) => {
        const answer = await fetch('/api' + where, { method, headers: body ? { 'content-type': 'application/json' } : {}, body: body ? JSON.stringify(body) : undefined });
        const text = await answer.text();
        return { status: answer.status, body: text ? JSON.parse(text) : null };
      },
      [path, options],
    );
  }
}
