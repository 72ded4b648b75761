/** The name of an account that was typed at one door, for the others: nobody types it twice. Kept nowhere else. */
class Entry {
  email = $state('');
}

export const entry = new Entry();
