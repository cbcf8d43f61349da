// Whether the palette is open, and with which words. The palette itself is loaded when it is first opened.

class PaletteState {
  open = $state(false);
  query = $state('');

  /** Whether its field is on the screen. Until then, what is typed is caught, so that no letter is lost or obeyed. */
  ready = $state(false);

  /** Enter was pressed before the field was there. */
  entered = false;

  show(query = ''): void {
    this.query = query;
    this.entered = false;
    this.open = true;
  }

  close(): void {
    this.open = false;
    this.ready = false;
  }

  caught(event: KeyboardEvent): boolean {
    if (!this.open || this.ready) return false;
    if (event.key.length === 1 && !this.entered) this.query += event.key;
    if (event.key === 'Enter') this.entered = true;
    if (event.key === 'Escape') this.close();
    return true;
  }
}

export const palette = new PaletteState();
