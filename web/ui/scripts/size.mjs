// Prints the compressed size of what the dashboard loads, and fails over the budget of 150 KB of script.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const folder = new URL('../dist/assets/', import.meta.url);
let script = 0;
for (const name of readdirSync(folder).sort()) {
  const size = gzipSync(readFileSync(new URL(name, folder)), { level: 9 }).length;
  if (/\.(js|css)$/.test(name)) console.log(`${(size / 1024).toFixed(1).padStart(7)} KB  ${name}`);
  if (name.endsWith('.js')) script += size;
}
console.log(`${(script / 1024).toFixed(1).padStart(7)} KB  of script in all`);
if (script > 150 * 1024) process.exit(1);
