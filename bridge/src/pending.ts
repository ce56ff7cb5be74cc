/** Counts calls that nobody has answered yet, so that a deadline can say who was silent. */
export class Pending {
  private calls = 0;

  get any(): boolean {
    return this.calls > 0;
  }

  async during<T>(call: () => Promise<T>): Promise<T> {
    this.calls++;
    try {
      return await call();
    } finally {
      this.calls--;
    }
  }
}
