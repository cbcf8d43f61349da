// Whether the palette is open, and with which words. The palette itself is loaded when it is first opened.

class PaletteState {
  open = $state(false);
  query = $state('');

  show(query = ''): void {
    this.query = query;
    this.open = true;
  }
}

export const palette = new PaletteState();
