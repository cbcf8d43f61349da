import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The server's content policy is `default-src 'self'`: nothing may be inlined as a data: address, styles come as
// files (never injected by script), and every file but index.html carries its hash, so it can be cached for good.
export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // What two pages share comes once and in one piece: small files do not compress.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'shared', minShareCount: 2 }] } } },
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': process.env.JARVIS_URL ?? 'http://127.0.0.1:7878' } },
  test: { include: ['test/**/*.test.ts'] },
});
