/** A queue between kafkajs' callbacks and the one reader of an async iterable. */

interface Item<T> {
  readonly value: T;
  readonly bytes: number;
}

/** Holds values in order and knows how many bytes they stand for; it never drops by itself. */
export class EventQueue<T> {
  private items: Item<T>[] = [];
  private from = 0;
  private heldBytes = 0;
  private state: { readonly error: Error | null } | null = null;
  private wake: (() => void) | null = null;
  private readonly onTaken: () => void;

  /** `onTaken` is called after each value that the reader takes. */
  constructor(onTaken: () => void = () => undefined) {
    this.onTaken = onTaken;
  }

  /** Bytes of the values that nobody has taken yet. */
  get bytes(): number {
    return this.heldBytes;
  }

  get ended(): boolean {
    return this.state !== null;
  }

  push(value: T, bytes = 0): void {
    if (this.state === null) {
      this.items.push({ value, bytes });
      this.heldBytes += bytes;
      this.wake?.();
    }
  }

  /** Takes out what has not been read yet and does not matter any more. */
  drop(isStale: (value: T) => boolean): void {
    const kept = this.items.slice(this.from).filter(({ value }) => !isStale(value));
    this.items = kept;
    this.from = 0;
    this.heldBytes = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Ends the iteration at once: what is still queued is dropped. */
  end(): void {
    this.finish(null);
  }

  /** Makes the reader's next step throw. */
  fail(error: Error): void {
    this.finish(error);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      if (this.state !== null) {
        if (this.state.error !== null) {
          throw this.state.error;
        }
        return;
      }
      const item = this.shift();
      if (item === undefined) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = null;
      } else {
        this.onTaken();
        yield item.value;
      }
    }
  }

  private shift(): Item<T> | undefined {
    const item = this.items[this.from];
    if (item !== undefined) {
      this.from++;
      this.heldBytes -= item.bytes;
      if (this.from === this.items.length) {
        this.items = [];
        this.from = 0;
      }
    }
    return item;
  }

  private finish(error: Error | null): void {
    if (this.state === null) {
      this.state = { error };
      this.items = [];
      this.from = 0;
      this.heldBytes = 0;
      this.wake?.();
    }
  }
}
