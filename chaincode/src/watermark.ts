/**
 * Where a batch stands to its lane's watermark. Pure: this is the whole of "exactly once, in
 * order", so it is small enough to be checked by properties.
 *
 * A lane's watermark is the offset of the last record that the ledger finished on it. Whoever cuts
 * a batch names the watermark that it continues from (`after`) and puts in every record of the lane
 * behind it. Thus records at or below the watermark are repeated and dropped; a watermark below
 * `after` means that records in between are missing; everything else is new, in order.
 */

export type Placement =
  | { readonly kind: 'gap' }
  | { readonly kind: 'repeated' }
  /** `from` is the index of the first record that the ledger has not finished. */
  | { readonly kind: 'new'; readonly from: number };

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
 * @param records - in strictly ascending order of offset
 */
export function placeBatch(
  effective: bigint,
  after: bigint,
  records: readonly { readonly offset: bigint }[],
): Placement {
  if (effective < after) {
    return { kind: 'gap' };
  }
  const from = records.findIndex((record) => record.offset > effective);
  return from < 0 ? { kind: 'repeated' } : { kind: 'new', from };
}
