/** In the page: all that the browser keeps of the client whose database has this name, as text. */
export async function keptInBrowser(name: string): Promise<string> {
  const result = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const database = await result(indexedDB.open(name));
  const store = database.transaction('entries').objectStore('entries');
  const entries = [await result(store.getAllKeys()), await result(store.getAll())];
  database.close();
  const urls: string[] = [];
  for (const cache of await caches.keys()) {
    for (const { url } of await (await caches.open(cache)).keys()) urls.push(url);
  }
  return JSON.stringify([entries, { ...localStorage }, { ...sessionStorage }, urls, history.state]);
}
