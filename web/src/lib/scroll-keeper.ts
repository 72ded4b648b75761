/** What is read at the top of what is seen, and where on screen it stood. */
interface Anchor {
  line: HTMLElement;
  top: number;
}

/** How near to the end counts as at the end, in pixels. */
const NEAR_PX = 24;

/**
 * Keeps the line that somebody reads where it is while rows come, go and grow around it. One who is at the end stays at the
 * end. Rows are the children of `list` with a `data-key`; scrolling of one's own is told from a reader's by the anchor, which
 * only `note` moves. The browser's own anchoring is off, so that nothing is corrected twice.
 */
export class ScrollKeeper {
  isAtEnd = true;
  private anchor: Anchor | undefined;

  constructor(
    private readonly scroller: HTMLElement,
    private readonly list: HTMLElement,
  ) {}

  /** Pixels below what is seen. */
  get below(): number {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  /** To be called when the reader has scrolled. */
  note(): void {
    this.isAtEnd = this.below <= NEAR_PX;
    const edge = this.scroller.getBoundingClientRect().top;
    const row = this.rowAt(edge);
    // Above its words a row may gain or lose a day or a name, when its neighbours become known: the words are to stay.
    const line = row?.querySelector<HTMLElement>('[data-line]') ?? row;
    this.anchor = line && { line, top: line.getBoundingClientRect().top - edge };
  }

  /** To be called when what is in the list has changed, before it is painted. */
  restore(): void {
    if (this.isAtEnd) {
      this.toEnd();
      return;
    }
    const { scroller } = this;
    if (!this.anchor?.line.isConnected) return;
    const top = this.anchor.line.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    const moved = top - this.anchor.top;
    if (Math.abs(moved) > 0.1) scroller.scrollTop += moved;
  }

  toEnd(): void {
    this.isAtEnd = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** Brings a row to a place between the top (0) and the bottom (1) of what is seen. */
  show(key: string, place: number): boolean {
    const row = this.list.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`);
    if (!row) return false;
    const { top, height } = row.getBoundingClientRect();
    const frame = this.scroller.getBoundingClientRect();
    this.scroller.scrollTop += top - frame.top - Math.max(0, (frame.height - height) * place);
    this.note();
    return true;
  }

  /** The key of the last row that is seen in full, or nearly. */
  lastSeen(): string | undefined {
    const { bottom } = this.scroller.getBoundingClientRect();
    const row = this.rowAt(bottom - 8);
    return row?.dataset.key;
  }

  /** The first row that reaches below a height of the screen, or the last one. */
  private rowAt(y: number): HTMLElement | undefined {
    const rows = this.list.children;
    let low = 0;
    let high = rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle]!.getBoundingClientRect().bottom > y) high = middle;
      else low = middle + 1;
    }
    return rows[low] as HTMLElement | undefined;
  }
}
