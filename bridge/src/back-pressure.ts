/** Pauses a partition that has brought more than its share, until most of that is done. */
import { BUFFER_LOW_SHARE } from './limits.ts';
import type { Owned, Source } from './ports.ts';

export interface Amount {
  readonly records: number;
  readonly bytes: number;
}

export class BackPressure {
  private readonly source: Pick<Source, 'pause' | 'resume'>;
  private readonly owned: Owned;
  private isPaused = false;

  constructor(source: Pick<Source, 'pause' | 'resume'>, owned: Owned) {
    this.source = source;
    this.owned = owned;
  }

  /** @param held - in memory now; `share` is what one partition may hold */
  regulate(held: Amount, share: Amount): void {
    const low = BUFFER_LOW_SHARE;
    if (!this.isPaused && (held.records >= share.records || held.bytes >= share.bytes)) {
      this.isPaused = true;
      this.source.pause(this.owned);
    } else if (
      this.isPaused &&
      held.records <= share.records * low &&
      held.bytes <= share.bytes * low
    ) {
      this.isPaused = false;
      this.source.resume(this.owned);
    }
  }
}
