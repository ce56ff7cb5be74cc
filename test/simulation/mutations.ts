/**
 * Ways to break Shuttle, each a change of a few words in the built product, as one would make it by
 * mistake or as other bridges have it. The simulation must notice every one of them.
 */
export interface Mutation {
  readonly name: string;
  /** From the repository's root; `find` occurs in it exactly once, whatever its white space. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly why: string;
}

const LANE = 'bridge/dist/ingest/lane.js';
const SUBMIT = 'bridge/dist/ingest/submit.js';
const PARTITION = 'bridge/dist/ingest/partition.js';
const OPEN = 'bridge/dist/ingest/open-partition.js';
const PUBLISH = 'bridge/dist/publish/publish.js';
const CONTRACT = 'chaincode/dist/base-contract.js';

/** What a transaction would have answered, had it been committed. */
const PRETENDED = "txId: '', timestamp: 0, sha256: '', offset: header.last, rejections: []";

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'no watermark check',
    file: 'chaincode/dist/watermark.js',
    find: 'if (effective === after) {',
    replace: 'if (effective >= after) {',
    why: 'a commit time-out is retried under a new transaction id, and both are applied',
  },
  {
    name: 'watermark set without taking the larger',
    file: CONTRACT,
    find: "if (placement !== 'next') {",
    replace: `if (placement === 'repeated') {
      const end = batch.records.at(-1);
      const key = (0, layout_ts_1.laneKey)(state, id, lane);
      state.put(key, Buffer.from(nextWatermark(state, end, [])));
      await state.flush();
      return (0, wire_ts_1.encodeReceipt)({ offset: end.offset, applied: 0, rejections: [] });
    }
    if (placement !== 'next') {`,
    why: 'a replay moves the watermark back, and what lies between is applied again',
  },
  {
    name: 'ack before commit',
    file: PARTITION,
    find: 'if (least !== null) {',
    replace: 'if (false) {',
    why: 'accepted records are held only in memory: a crash loses them',
  },
  {
    name: 'ack before dead letter',
    file: LANE,
    find: `await this.deadLetter(head.items); if (this.home.live()) {
      this.queue.drop(head.items.length);`,
    replace: `this.queue.drop(head.items.length);
      await this.deadLetter(head.items);
      if (this.home.live()) {`,
    why: 'a crash between the two loses a refused record without a word',
  },
  {
    name: 'seek to the ack of another ledger',
    file: OPEN,
    find: 'const ours = ack !== null && ack.metadata === ackMetadata(context);',
    replace: 'const ours = ack !== null;',
    why: 'a channel that was made anew never gets what the old one had',
  },
  {
    name: 'changed layout accepted',
    file: OPEN,
    find: 'if (!found) {',
    replace: 'if (false) {',
    why: 'with another key expression records go to other keys and lanes',
  },
  {
    name: 'superseded versions dropped',
    file: 'chaincode/dist/envelope.js',
    find: 'if (versions.length > 1) {',
    replace: 'if (false) {',
    why: 'a transaction can write a key once: only the last version of a batch would stay',
  },
  {
    name: 'new batch after an unknown outcome',
    file: SUBMIT,
    find: 'const error = passing(caught);',
    replace: `const error = passing(caught);
      if (error.kind.effect === 'unknown') {
        return { kind: 'overtaken', watermark: { ${PRETENDED} } };
      }`,
    why: 'the batch whose outcome is unknown is taken for done, and the next one is cut behind it',
  },
  {
    name: 'errors swallowed',
    file: SUBMIT,
    find: 'const error = passing(caught);',
    replace: `const error = passing(caught);
      if (attempt >= 2) {
        return { kind: 'committed', blockNumber: 0n, applied: items.length, ${PRETENDED} };
      }`,
    why: 'a batch is given up after some tries, and its offsets are acked all the same',
  },
  {
    name: 'one bad record fails its batch',
    file: CONTRACT,
    find: 'rejections.push({ offset, ...decision });',
    replace: 'throw new Error("BATCH_INVALID: " + decision.code);',
    why: 'a whole batch is retried, or stands still, for one record that nobody can apply',
  },
  {
    name: 'rejections of an adopted watermark dropped',
    file: LANE,
    find: 'this.pending = refusalsOf(watermark.rejections, watermark.txId);',
    replace: '',
    why: 'a late transaction refuses a record, and nobody ever learns of it',
  },
  {
    name: 'dead letters not waited for',
    file: LANE,
    find: 'await this.context.deadLetters.send(letters, this.context.signal);',
    replace: 'void this.context.deadLetters.send(letters, this.context.signal).catch(() => {});',
    why: 'failures to send to Kafka are only logged',
  },
  {
    name: 'a passing outage stops a partition',
    file: 'bridge/dist/patience.js',
    find: `if (error.kind.retry === 'never') { throw error; }`,
    replace: 'throw error;',
    why: 'a side is away for a moment, and the partition stands still for good',
  },
  {
    name: 'gives up when a side is away at the start',
    file: 'bridge/dist/ingest/ingest.js',
    find: 'this.waiter.failed(side, error); this.checkDeadline(error);',
    replace: 'throw error;',
    why: 'the bridge panics when Kafka is down at its start',
  },
  {
    name: 'text beyond ASCII stripped',
    file: 'bridge/dist/batch/carry.js',
    find: 'wire: { offset, timestamp, key, value }',
    replace: `wire: { offset, timestamp, key, value: value &&
      Buffer.from(Buffer.from(value).toString('latin1').replace(/[^\\x20-\\x7e]/g, ''), 'latin1') }`,
    why: 'the ledger holds another document than the record',
  },
  {
    name: 'no back-pressure on records',
    file: 'bridge/dist/back-pressure.js',
    find: 'this.isPaused = true; this.source.pause(this.owned);',
    replace: 'this.isPaused = true;',
    why: 'a slow ledger fills the memory with records',
  },
  {
    name: 'no back-pressure on blocks',
    file: 'bridge/dist/publish/queue.js',
    find: 'return this.bytes < this.bytesMax;',
    replace: 'return true;',
    why: 'a slow Kafka fills the memory with blocks',
  },
  {
    name: 'an emptied blocks topic restarted from genesis',
    file: 'bridge/dist/kafka/block-tail.js',
    find: 'if (logStart > 0n) {',
    replace: 'if (false) {',
    why: 'retention takes the checkpoint away, and all blocks are published a second time',
  },
  {
    name: 'a failed Kafka transaction taken for done',
    file: PUBLISH,
    find: 'await this.finishOrAbandon(sent);',
    replace: 'await this.finishOrAbandon(sent.catch(() => undefined));',
    why: 'failures to send to Kafka are only logged',
  },
  {
    name: 'checkpoint moved past a block before its records',
    file: PUBLISH,
    find: 'const sent = this.kafka(sink.publish(group.flatMap((block) => block.records)));',
    replace: `await this.kafka(sink.publish(group.flatMap((block) => block.records.slice(0, 1))));
      const sent = this.kafka(sink.publish(group.flatMap((block) => block.records.slice(1))));`,
    why: 'a crash between the two loses the transactions, changes and events of a block',
  },
  {
    name: 'one transaction a block',
    file: 'bridge/dist/block/records.js',
    find: 'block.entries.forEach((entry, index) => {',
    replace: 'block.entries.slice(0, 1).forEach((entry, index) => {',
    why: 'the other transactions of a block never reach their topic',
  },
  {
    name: 'invalid transactions as events',
    file: 'bridge/dist/block/summary.js',
    find: 'event: effective ? action.event : null,',
    replace: 'event: action === null ? null : action.event,',
    why: 'events are published that never took effect',
  },
  {
    name: 'invalid transactions as changes',
    file: 'bridge/dist/block/summary.js',
    find: 'changes: effective ?',
    replace: 'changes: header !== null && action !== null ?',
    why: 'changes are published that never took effect',
  },
  {
    name: 'always ready',
    file: 'bridge/dist/system/readiness.js',
    find: 'return answered ? [] : [side];',
    replace: 'return [];',
    why: 'health says UP with Kafka and Fabric both down',
  },
  {
    name: 'added partitions begin at once',
    file: 'bridge/dist/ingest/older-partitions.js',
    find: 'await drained(context, at, all.filter(({ partition }) => partition < older), live);',
    replace: '',
    why: 'a key that has moved is written before its earlier records',
  },
  {
    name: 'a stop waits for Kafka',
    file: 'bridge/dist/ingest/ingest.js',
    find: 'await Promise.race([this.ackAll(), clock.sleep(ACK_PATIENCE_MS, over.signal)]);',
    replace: 'await this.ackAll();',
    why: 'while Kafka is away the process has to be killed',
  },
];
