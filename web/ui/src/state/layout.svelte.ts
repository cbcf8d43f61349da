// How much room there is. What is not shown is not rendered, so it costs nothing.

class Layout {
  width = $state(innerWidth);
  phone = $derived(this.width < 720);
  /** Room for the right column. */
  jarvis = $derived(this.width >= 1000);
  /** Room for the left column too. */
  systems = $derived(this.width >= 1240);
  wall = $derived(this.width >= 2300);

  constructor() {
    addEventListener('resize', () => (this.width = innerWidth));
  }
}

export const layout = new Layout();
