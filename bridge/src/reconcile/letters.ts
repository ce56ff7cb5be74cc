/** The dead letters of a source topic, by the position of the record that each one holds. */

/** A dead letter as it stands on its topic. */
export interface Letter {
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly code: string;
  /** digestOf(key, value) of the letter. */
  readonly digest: string;
}

/**
 * All letters are held at once, about 150 bytes each: they are in no order, and few. A letter may
 * stand on the topic more than once, because letters are delivered at least once.
 */
export class Letters {
  private readonly byPosition = new Map<string, Letter>();

  add(letter: Letter): void {
    const position = `${letter.partition}:${letter.offset}`;
    // The first one tells why the record was refused; a later one can only repeat it.
    if (!this.byPosition.has(position)) {
      this.byPosition.set(position, letter);
    }
  }

  has(partition: number, offset: bigint): boolean {
    return this.byPosition.has(`${partition}:${offset}`);
  }

  /** The letter of a position, which is then accounted for; null when there is none. */
  take(partition: number, offset: bigint): Letter | null {
    const position = `${partition}:${offset}`;
    const letter = this.byPosition.get(position) ?? null;
    this.byPosition.delete(position);
    return letter;
  }

  /** Letters that nothing has accounted for. */
  rest(): Iterable<Letter> {
    return this.byPosition.values();
  }
}
