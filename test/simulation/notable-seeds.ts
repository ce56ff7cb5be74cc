/** Seeds that once found something, or that reach what few others do. They run always. */
export const NOTABLE_SEEDS: readonly { readonly seed: number; readonly why: string }[] = [
  { seed: 24, why: 'the last block comes behind the stop: the next publisher finds it' },
  {
    seed: 74,
    why: 'Kafka was away while a watermark of a twin was held against the end of the log',
  },
  { seed: 131, why: 'a third partition joins two that fill the buffers already' },
  {
    seed: 244,
    why: 'a late transaction refuses a record, and a stale batch would pass it unseen',
  },
  {
    seed: 1359,
    why: 'a key moves to an added partition while a transaction that has a record of it is open',
  },
];
