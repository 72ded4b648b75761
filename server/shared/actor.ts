/** Who acts, whichever way they came. */
export interface Actor {
  userId: string;
  username: string;
}
