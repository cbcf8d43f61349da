// Many events about one thing cause one request at a time for it, and one more if something came in between. The
// last answer applied is therefore never older than the last event seen. Everyone who asks waits for that answer.

const running = new Map<string, { again: boolean; ended: Promise<void> }>();

export function coalesce(key: string, run: () => Promise<void>): Promise<void> {
  const already = running.get(key);
  if (already) {
    already.again = true;
    return already.ended;
  }
  const mine = { again: false, ended: Promise.resolve() };
  running.set(key, mine);
  mine.ended = (async () => {
    try {
      do {
        mine.again = false;
        await run();
      } while (mine.again);
    } finally {
      running.delete(key);
    }
  })();
  return mine.ended;
}
