// Chromium with a page that is watched: console errors, requests to other hosts and breaches of the content policy are
// collected, and a test that ends with any of them has failed.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const flags = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const executable = process.env.JARVIS_TEST_CHROMIUM ?? usual.find((path) => existsSync(path));

export const launch = () => chromium.launch({ executablePath: executable, headless: true, chromiumSandbox: false, args: flags });

/** Containers that come and go change the network of this machine, and Chromium then drops what it was loading. */
const changed = /ERR_NETWORK_CHANGED/;
/** A refused request is part of some tests, and an engine that is not there answers 503; the browser logs each as an error of its own. */
const refused = /^Failed to load resource: the server responded with a status of (4\d\d|503)/;

export class Watch {
  faults = [];
  /** While the server is down on purpose, requests fail. */
  down = false;

  constructor(origin) {
    this.origin = origin;
  }

  async context(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, reducedMotion: 'reduce', ...options });
    await context.addInitScript(() => {
      globalThis.breaches = [];
      document.addEventListener('securitypolicyviolation', (event) => globalThis.breaches.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
    });
    context.on('request', (request) => {
      if (!request.url().startsWith(this.origin)) this.faults.push(`a request to another host: ${request.url()}`);
    });
    context.on('page', (page) => this.#page(page));
    return context;
  }

  #page(page) {
    page.on('pageerror', (error) => this.faults.push(`an error in the page: ${error.stack ?? error}`));
    page.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'warning' && /svelte|deprecat/i.test(text)) this.faults.push(`a warning in the console: ${text}`);
      if (message.type() !== 'error' || refused.test(text) || changed.test(text) || (this.down && /Failed to load resource|ERR_/.test(text))) return;
      this.faults.push(`an error in the console: ${text} (${message.location().url})`);
    });
  }

  async breaches(page) {
    return page.evaluate(() => globalThis.breaches);
  }

  /** What was collected since it was last asked. */
  take() {
    const faults = this.faults;
    this.faults = [];
    return faults;
  }
}
