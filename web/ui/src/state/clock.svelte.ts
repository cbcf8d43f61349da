// The time of the top bar and of every countdown. Ticks once a second, and not at all in a hidden tab.

class Clock {
  now = $state(Date.now());
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor() {
    document.addEventListener('visibilitychange', () => this.#run());
    this.#run();
  }

  #run(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (document.hidden) return;
    this.now = Date.now();
    this.#timer = setTimeout(() => this.#run(), 1000 - (this.now % 1000));
  }
}

export const time = new Clock();
