// When the operator last looked. Kept in this browser; the moment moves on when the page is hidden or closed, and
// what happened before the visit stays marked as new during it.

const KEY = 'jarvis.looked';
const DAY = 86_400_000;

class Look {
  since = $state(Number(localStorage.getItem(KEY)) || Date.now() - DAY);

  constructor() {
    addEventListener('pagehide', () => this.#keep());
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#keep();
      else this.since = Number(localStorage.getItem(KEY)) || this.since;
    });
  }

  #keep(): void {
    localStorage.setItem(KEY, String(Date.now()));
  }
}

export const look = new Look();
