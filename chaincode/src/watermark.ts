/**
 * Where a batch stands to its lane's watermark. Pure: this is the whole of "exactly once, in
 * order", so it is small enough to be checked by properties.
 *
 * A lane's watermark is the offset of the last record that the ledger finished on it. Whoever cuts
 * a batch names the watermark that it continues from (`after`) and puts in every record of the lane
 * behind it. A watermark below that means that records in between are missing. One above it is
 * another transaction's, which the submitter has not seen: it reads that one, compares it with the
 * source, sends the dead letters of what it refused, and only then cuts anew.
 */

/** `next` alone is applied. */
export type Placement = 'gap' | 'repeated' | 'next';

/** The larger of the layout's base and the lane's own watermark, when it has one. */
export function effectiveWatermark(
  { base }: { readonly base: bigint },
  watermark: { readonly offset: bigint } | null,
): bigint {
  return watermark !== null && watermark.offset > base ? watermark.offset : base;
}

/**
 * Places a batch.
 *
 * @param effective - effectiveWatermark() of the lane
 * @param after - the watermark that the batch continues from
 */
export function placeBatch(effective: bigint, after: bigint): Placement {
  if (effective === after) {
    return 'next';
  }
  return effective < after ? 'gap' : 'repeated';
}
