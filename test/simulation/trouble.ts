/** Faults that come at a moment: outages, kills, frozen processes, a group that forgets. */
import { partitionName } from '@shuttle/bridge/dist/values.js';
import type { Host } from './host.ts';
import type { Moment } from './plan.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** What only the supervisor of the processes can do. */
export interface Hands {
  stop(): void;
  another(role: 'ingest' | 'publish'): void;
  otherSettings(): void;
}

/** A frozen member may commit what it knew so long ago. */
const RECENT_MS = 15_000;

export function bring(world: World, fault: Moment, hands: Hands, random: Random): void {
  const { network, story, group } = world;
  const count = (what: string): void => {
    network.happened(fault);
    story.tell('TROUBLE', () => `${fault}${what === '' ? '' : `: ${what}`}`);
  };
  switch (fault) {
    case 'kafka outage':
    case 'fabric outage':
      network.outage(fault === 'kafka outage' ? 'kafka' : 'fabric', random.int(300, 12_000));
      return;
    case 'crash':
      anyHost(world, random)?.kill('at a moment');
      return;
    case 'freeze':
      freeze(world, random, count);
      return;
    case 'stop':
      count('');
      hands.stop();
      return;
    case 'another instance':
    case 'another publisher':
      count('');
      hands.another(fault === 'another instance' ? 'ingest' : 'publish');
      return;
    case 'rebalance':
      count('');
      group.rebalance();
      return;
    case 'offsets lost':
      count('');
      group.offsets.clear();
      return;
    case 'offsets moved back':
      moveBack(world, random, count);
      return;
    case 'ack of another ledger':
      plantForeign(world, random, count);
      return;
    case 'other settings':
      hands.otherSettings();
      return;
    case 'compaction':
      compact(world, random, count);
      return;
    case 'retention':
      retain(world, random, count);
      return;
    case 'partitions added':
      grow(world, random, count);
      return;
    case 'lagging peer':
      lag(world, random, count);
      return;
    case 'slow orderer':
      slow(world, random, count);
      return;
    case 'blocks topic emptied':
      count('');
      loseBlocks(world, random);
  }
}

/** Once for a topic, and only behind partitions that were carried: that is Shuttle's condition. */
function grow(world: World, random: Random, count: (what: string) => void): void {
  const { plan, topics, sources, group } = world;
  const { name, partitions } = random.pick(plan.topics);
  if (topics.of(name).length === partitions && world.isOpen) {
    count(name);
    sources.push(...topics.create(name, partitions));
    group.rebalance();
  }
}

function lag({ channel, scheduler }: World, random: Random, count: (what: string) => void): void {
  const peer = random.pick(channel.peers);
  peer.lagMs = random.int(500, 6_000);
  count(`${peer.name} by ${peer.lagMs} ms`);
  scheduler.after(random.int(2_000, 10_000), () => {
    peer.lagMs = 0;
  });
}

function slow({ channel, scheduler }: World, random: Random, count: (what: string) => void): void {
  channel.slowMs = random.int(300, 3_000);
  count(`by ${channel.slowMs} ms`);
  scheduler.after(random.int(2_000, 8_000), () => {
    channel.slowMs = 0;
  });
}

/** Whoever publishes at that moment may go on, and be none the wiser before its next start. */
function loseBlocks(world: World, random: Random): void {
  world.isEmptied = true;
  world.blocks.truncate(world.blocks.end);
  for (const host of world.hosts) {
    if (host.name.startsWith('publish') && random.chance(0.7)) {
      host.kill('while its topic is emptied');
    }
  }
}

/** Retention is slow: it takes only what every ack of the last while has had behind it. */
function retain(world: World, random: Random, count: (what: string) => void): void {
  const log = random.pick(world.sources);
  const recent = world.ackLog.filter(
    ({ at, atMs }) =>
      partitionName(at) === partitionName(log) && atMs > world.scheduler.nowMs - RECENT_MS,
  );
  const current = world.group.offsets.get(partitionName(log));
  const acked = [...recent.map(({ offset }) => offset.offset), current?.offset ?? 0n];
  const to = acked.reduce((least, offset) => (offset < least ? offset : least), log.stableEnd);
  if (to > log.logStart) {
    count(`${partitionName(log)} begins at ${to}`);
    log.truncate(to);
  }
}

/** Everything that was brought and lasts, taken away. */
export function relieve(world: World): void {
  world.network.faulty = false;
  world.network.restore();
  world.channel.slowMs = 0;
  for (const peer of world.channel.peers) {
    peer.lagMs = 0;
  }
  for (const host of world.hosts) {
    host.thaw();
  }
  world.story.tell('TROUBLE', () => 'is over');
}

function anyHost(world: World, random: Random): Host | null {
  return world.hosts.size === 0 ? null : random.pick([...world.hosts]);
}

function freeze(world: World, random: Random, count: (what: string) => void): void {
  const host = anyHost(world, random);
  if (host !== null) {
    const forMs = random.int(500, 14_000);
    count(`${host.name} for ${forMs} ms`);
    host.freeze();
    world.scheduler.after(forMs, () => host.thaw());
  }
}

function moveBack(world: World, random: Random, count: (what: string) => void): void {
  if (world.ackLog.length > 0) {
    const { at, offset } = random.pick(world.ackLog);
    count(`${partitionName(at)} to ${offset.offset}`);
    world.group.offsets.set(partitionName(at), offset);
  }
}

/** As if the channel had been made anew, or the group been used for another one. */
function plantForeign(world: World, random: Random, count: (what: string) => void): void {
  const log = random.pick(world.sources);
  const genesis = 'ab'.repeat(32);
  const other = { v: 1, channel: 'mychannel', genesis, chaincode: 'shuttle', mspId: 'Org1MSP' };
  count(`${partitionName(log)} at ${log.end}`);
  const metadata = JSON.stringify({ ...other, stream: 'cluster' });
  world.group.offsets.set(partitionName(log), { offset: log.end, metadata });
}

/** Takes records that have a newer one of their key, finished or not. */
function compact(world: World, random: Random, count: (what: string) => void): void {
  const log = random.pick(world.sources);
  const facts = world.truth.partitions.get(partitionName(log)) ?? [];
  const newer = new Set<string>();
  const gone = new Set<bigint>();
  for (const fact of facts.toReversed()) {
    const { record, compacted } = fact;
    const key = record.key === null ? null : Buffer.from(record.key).toString();
    const isVisible = record.offset < log.stableEnd && !compacted;
    if (key !== null && isVisible && newer.has(key) && random.chance(0.6)) {
      gone.add(record.offset);
      world.truth.compacted(fact);
    }
    if (key !== null && isVisible) {
      newer.add(key);
    }
  }
  if (gone.size > 0) {
    count(`${partitionName(log)} loses ${[...gone].toReversed().join(', ')}`);
    log.remove(gone);
  }
}
