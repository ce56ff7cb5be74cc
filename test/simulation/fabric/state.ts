/** The world state with all of its versions, so that each peer can look at its own height. */
export interface Version {
  readonly height: number;
  readonly version: string;
  readonly txId: string;
  readonly seconds: number;
  readonly value: Buffer | null;
}

export class WorldState {
  private readonly versions = new Map<string, Version[]>();

  put(key: string, version: Version): void {
    const all = this.versions.get(key);
    if (all === undefined) {
      this.versions.set(key, [version]);
    } else {
      all.push(version);
    }
  }

  /** As a peer with so many blocks has it. */
  get(key: string, height: number): { value: Buffer; version: string } | null {
    const found = this.versions.get(key)?.findLast((version) => version.height <= height);
    return found === undefined || found.value === null
      ? null
      : { value: found.value, version: found.version };
  }

  /** Newest first. */
  history(key: string, height: number): readonly Version[] {
    const all = this.versions.get(key) ?? [];
    return all.filter((version) => version.height <= height).toReversed();
  }

  *withPrefix(prefix: string, height: number): Generator<{ key: string; value: Buffer }> {
    const keys = [...this.versions.keys()].filter((key) => key.startsWith(prefix)).sort();
    for (const key of keys) {
      const found = this.get(key, height);
      if (found !== null) {
        yield { key, value: found.value };
      }
    }
  }
}
