/**
 * For a heading that takes the place of what somebody pressed: the focus goes there, so that whoever hears the page hears what it
 * is now. Give it `tabindex="-1"`.
 */
export function arrive(heading: HTMLElement): void {
  heading.focus({ preventScroll: true });
  heading.scrollIntoView();
}
