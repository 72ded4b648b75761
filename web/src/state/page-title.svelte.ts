/** The title of the screen, where it is none of the conversations. */
class PageTitle {
  current = $state('');

  /** Returns what takes it away again. */
  show(title: string): () => void {
    this.current = title;
    return () => {
      if (this.current === title) this.current = '';
    };
  }
}

export const pageTitle = new PageTitle();
