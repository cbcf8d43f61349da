// Many events about one thing cause one request at a time for it, and one more if something came in between. The
// last answer applied is therefore never older than the last event seen.

const running = new Map<string, { again: boolean }>();

export async function coalesce(key: string, run: () => Promise<void>): Promise<void> {
  const already = running.get(key);
  if (already) {
    already.again = true;
    return;
  }
  const mine = { again: false };
  running.set(key, mine);
  try {
    do {
      mine.again = false;
      await run();
    } while (mine.again);
  } finally {
    running.delete(key);
  }
}
