/** Room between what floats and the edges of the window, in pixels. */
const EDGE_PX = 8;

interface FloatOptions {
  anchor: HTMLElement;
  onclose: () => void;
  /** What in it is focused first. */
  focus: string;
}

/**
 * Shows a popover beside its anchor, on whichever side there is room, and gives the focus back when it goes. The browser lays
 * it over everything and closes it by Escape or a click elsewhere.
 */
export function float({ anchor, onclose, focus }: FloatOptions): (element: HTMLElement) => () => void {
  return (element) => {
    const closed = (event: Event) => {
      if ((event as ToggleEvent).newState === 'closed') onclose();
    };
    element.showPopover();
    place(element, anchor);
    element.querySelector<HTMLElement>(focus)?.focus({ preventScroll: true });
    element.addEventListener('toggle', closed);
    return () => {
      element.removeEventListener('toggle', closed);
      const hadFocus = element.contains(document.activeElement) || document.activeElement === document.body;
      if (hadFocus && anchor.isConnected) anchor.focus({ preventScroll: true });
    };
  };
}

function place(element: HTMLElement, anchor: HTMLElement): void {
  const target = anchor.getBoundingClientRect();
  const { width, height } = element.getBoundingClientRect();
  const isRtl = getComputedStyle(anchor).direction === 'rtl';
  const roomBelow = window.innerHeight - target.bottom;
  const top = roomBelow >= height + 2 * EDGE_PX ? target.bottom + 4 : target.top - height - 4;
  const inCentre = target.left + target.width / 2 > window.innerWidth / 2;
  const left = inCentre !== isRtl ? target.right - width : target.left;
  element.style.top = `${clamp(top, window.innerHeight - height)}px`;
  element.style.left = `${clamp(left, window.innerWidth - width)}px`;
}

function clamp(value: number, max: number): number {
  return Math.max(EDGE_PX, Math.min(value, max - EDGE_PX));
}
