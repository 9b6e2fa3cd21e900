// Whether something is made of the same as last time: the same once more costs time and shows nothing new.

export class Seen {
  private last: unknown[] = [];

  /** False if these are, one by one, the very values of the last call; they are remembered. */
  isNew(of: unknown[]): boolean {
    if (of.length === this.last.length && of.every((each, index) => each === this.last[index])) return false;
    this.last = of;
    return true;
  }

  /** Whatever comes next is new. */
  forget(): void {
    this.last = [];
  }
}
