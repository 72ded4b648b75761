/** The service worker: the shell without a network, and newer versions of it. */
class Update {
  /** A newer version waits to take over. */
  isReady = $state(false);
  #waiting: ServiceWorker | undefined;

  async watch(): Promise<void> {
    if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
    try {
      const registration = await navigator.serviceWorker.register('/sw.js', { updateViaCache: 'none' });
      this.#look(registration);
      registration.addEventListener('updatefound', () => {
        registration.installing?.addEventListener('statechange', () => this.#look(registration));
      });
    } catch {
      // Forbidden, or not served securely: everything works, but only with a network.
    }
  }

  /** Lets the newer version take over, and begins with it. */
  apply(): void {
    navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
    this.#waiting?.postMessage('take over');
  }

  #look(registration: ServiceWorkerRegistration): void {
    // Without a controller this is the first version, and nothing is replaced.
    if (!registration.waiting || !navigator.serviceWorker.controller) return;
    this.#waiting = registration.waiting;
    this.isReady = true;
  }
}

export const update = new Update();
