/** What must add up when everything has come to rest. */
import { createHash } from 'node:crypto';
import type { IngestSummary } from '@shuttle/bridge/dist/ingest/context.js';
import type { PublishSummary } from '@shuttle/bridge/dist/publish/publish.js';
import { partitionName, type SourceRecord } from '@shuttle/bridge/dist/values.js';
import { CODES, type Committed } from './fabric/channel.ts';
import type { Ending } from './instances.ts';
import { FORGETTING } from './plan.ts';
import { Broken, type Fact } from './truth.ts';
import type { World } from './world.ts';

/** A run proves nothing without so many records, or without any fault. */
const RECORDS_MIN = 30;

export function checkEnd(world: World): void {
  checkNotVacuous(world);
  checkRecords(world);
  checkHistory(world);
  checkAcks(world);
  checkBlocks(world);
  if (!world.isEmptied) {
    checkTransactions(world);
    checkChanges(world);
    checkEvents(world);
  }
}

function checkNotVacuous({ truth, network }: World): void {
  if (truth.size < RECORDS_MIN || network.counts.size === 0) {
    throw new Broken('not vacuous', `${truth.size} records and ${network.counts.size} faults`);
  }
}

/** Accepted + refused = read, each exactly once. */
function checkRecords({ truth }: World): void {
  for (const { topic, partition, record, fate, applied, letters, compacted } of truth.all()) {
    const where = `${topic}/${partition}@${record.offset}`;
    const isDue = fate.kind === 'applied' ? applied === 1 && letters === 0 : letters > 0;
    if (!isDue && !compacted) {
      throw new Broken('accepted + refused = read', `${where} is applied ${applied} times`);
    }
  }
}

/** Facts that were applied, by document key, in order. */
function appliedByKey({ truth }: World): Map<string, Fact[]> {
  const byKey = new Map<string, Fact[]>();
  for (const facts of truth.partitions.values()) {
    for (const fact of facts) {
      if (fact.fate.kind === 'applied' && fact.applied > 0) {
        byKey.set(fact.fate.key, [...(byKey.get(fact.fate.key) ?? []), fact]);
      }
    }
  }
  return byKey;
}

/** Every version stands in the state's history, the superseded ones inside the later ones. */
function checkHistory(world: World): void {
  for (const [key, facts] of appliedByKey(world)) {
    const versions = world.channel.state.history(key, Number.POSITIVE_INFINITY).toReversed();
    const offsets = versions.flatMap(({ value }) => {
      const envelope = JSON.parse(String(value)) as { s: string; b?: { o: string }[] };
      return [...(envelope.b ?? []).map(({ o }) => o), envelope.s.split(':')[1]];
    });
    const due = facts.map(({ record }) => record.offset.toString());
    if (offsets.join() !== due.join()) {
      throw new Broken('history', `${key} has versions ${offsets.join()}, due are ${due.join()}`);
    }
  }
}

/** After an orderly stop the group knows how far everything is, unless it was made to forget. */
function checkAcks({ group, sources, network }: World): void {
  if (FORGETTING.some((fault) => network.counts.has(fault))) {
    return;
  }
  for (const log of sources) {
    const ack = group.offsets.get(partitionName(log))?.offset ?? 0n;
    if (ack < log.lastReadable) {
      throw new Broken('ack', `${partitionName(log)} is acked to ${ack} of ${log.lastReadable}`);
    }
  }
}

/** Contiguous, each exactly once, byte for byte, as far as they go. */
function checkBlocks(world: World): void {
  const { chain } = world.channel;
  const published = world.blocks.everCommitted();
  for (const [index, { key, value }] of published.entries()) {
    if (String(key) !== String(index)) {
      const message = `the blocks topic has block ${String(key)} at place ${index}`;
      throw new Broken('blocks exactly once', message);
    }
    if (value === null || !Buffer.from(value).equals(chain[index]?.bytes ?? Buffer.of())) {
      throw new Broken('blocks exactly once', `block ${index} is not the channel's`);
    }
  }
  if (published.length !== chain.length && !world.isEmptied) {
    const message = `${published.length} of ${chain.length} blocks are on their topic`;
    throw new Broken('blocks exactly once', message);
  }
}

const header = (record: SourceRecord, name: string): string =>
  String(record.headers.find((each) => each.name === name)?.value);

function published(world: World, topic: string): SourceRecord[] {
  return world.topics.of(topic).flatMap((log) => log.everCommitted());
}

/** One record for each transaction, valid or not. */
function checkTransactions(world: World): void {
  const ids = published(world, world.names.transactions).map((record) => header(record, 'ce_id'));
  const due = world.channel.chain.flatMap((_, block) =>
    (world.channel.committed[block]?.length ? world.channel.committed[block] : [null]).map(
      (_transaction, index) => `mychannel:${block}:${index}`,
    ),
  );
  compare('transactions exactly once', ids, due);
}

/** One record for each version that a valid transaction wrote, in order per key, byte for byte. */
function checkChanges(world: World): void {
  const byKey = new Map<string, string[]>();
  for (const record of published(world, world.names.changes)) {
    const key = String(record.key);
    const position = header(record, 'shuttle_position').split('/').at(-1);
    byKey.set(key, [...(byKey.get(key) ?? []), `${position} ${digest(record.value)}`]);
  }
  const due = appliedByKey(world);
  compare('changes exactly once', [...byKey.keys()], [...due.keys()]);
  for (const [key, facts] of due) {
    const versions = facts.map(({ record }) => `${record.offset} ${digest(record.value)}`);
    const found = byKey.get(key) ?? [];
    if (found.join() !== versions.join()) {
      const message = `${key} changed ${found.join()}, due is ${versions.join()}`;
      throw new Broken('changes exactly once', message);
    }
  }
}

/** One record for each event of a valid transaction, and none for an invalid one. */
function checkEvents(world: World): void {
  const ids = published(world, world.names.events).map((record) => header(record, 'ce_subject'));
  const due = world.channel.committed
    .flat()
    .filter(({ code, envelope }: Committed) => code === CODES.valid && envelope.event !== null)
    .map(({ envelope }) => envelope.txId);
  compare('events exactly once', ids, due);
}

function compare(promise: string, found: readonly string[], due: readonly string[]): void {
  const [left, right] = [found.toSorted(), due.toSorted()];
  const at = left.findIndex((id, index) => id !== right[index]);
  if (at >= 0 || left.length !== right.length) {
    const message = `found ${left.length}, due ${right.length}; first: ${left[at]}, ${right[at]}`;
    throw new Broken(promise, message);
  }
}

const digest = (value: Uint8Array | null): string =>
  value === null ? 'deleted' : createHash('sha256').update(value).digest('hex').slice(0, 16);

export function checkOnceMore(
  ingested: Ending<IngestSummary>,
  published: Ending<PublishSummary> | null,
): void {
  if (ingested.kind !== 'over' || ingested.summary.applied > 0) {
    throw new Broken('exactly once', `one more run ends with ${JSON.stringify(ingested)}`);
  }
  if (published !== null && published.kind !== 'over') {
    throw new Broken('blocks exactly once', `one more run ends with ${published.kind}`);
  }
}
