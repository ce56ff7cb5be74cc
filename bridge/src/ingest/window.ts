/** At most `size` transactions in flight over all partitions; first come, first served. */
export interface Window {
  /** Resolves with the release when there is room. */
  acquire(): Promise<() => void>;
  readonly used: number;
}

export function createWindow(size: number, onChange: (used: number) => void): Window {
  const waiting: (() => void)[] = [];
  let used = 0;
  const release = (): void => {
    const next = waiting.shift();
    if (next === undefined) {
      used -= 1;
      onChange(used);
    } else {
      next();
    }
  };
  const once = (): (() => void) => {
    let released = false;
    return () => {
      if (!released) {
        released = true;
        release();
      }
    };
  };
  return {
    get used() {
      return used;
    },
    acquire: async () => {
      if (used < size) {
        used += 1;
        onChange(used);
        return once();
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
      return once();
    },
  };
}
