/** Whether the person looks at this tab. */
class Attention {
  isHere = $state(document.visibilityState === 'visible' && document.hasFocus());

  watch(): void {
    const look = () => {
      this.isHere = document.visibilityState === 'visible' && document.hasFocus();
    };
    for (const event of ['focus', 'blur'] as const) addEventListener(event, look);
    document.addEventListener('visibilitychange', look);
  }
}

export const attention = new Attention();
