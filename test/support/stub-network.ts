/**
 * Two peers over one ledger, one with write batches and one without, as in a channel that is being
 * upgraded. Every proposal runs twice on both, and all four must agree byte for byte: a chaincode
 * that depends on a clock, on chance or on the way its writes travel cannot pass any test.
 */
import { type Simulation, StubLedger, type StubWrite, type Validity } from './stub-ledger.ts';
import type { Proposal } from './stub-messages.ts';
import { chaincodeOf, connectInMemory, type Endorsement, StubPeer } from './stub-peer.ts';

export interface Call {
  readonly fn: string;
  readonly args?: readonly (string | Uint8Array)[];
  readonly transient?: Readonly<Record<string, Uint8Array>>;
  readonly mspId?: string;
  /** The submitter's; a client's unless told. */
  readonly certificate?: string;
}

/** The answer of a call, after both peers agreed. */
export interface Answer {
  /** The payload as text, or the sentence of the refusal. */
  readonly text: string;
  readonly isOk: boolean;
  readonly endorsement: Endorsement;
  readonly txId: string;
}

export class StubNetwork {
  readonly ledger = new StubLedger();
  readonly batching: StubPeer;
  readonly plain: StubPeer;
  private transactions = 0;

  /** @param writesMax - small, so that write batches are split in every test */
  constructor(contracts: readonly (new () => object)[], writesMax = 3) {
    const ready = Buffer.from([0x08, 0x01, 0x10, writesMax, 0x18, 0x01, 0x20, 0x0a]);
    this.batching = new StubPeer(this.ledger, connectInMemory(chaincodeOf(contracts)), ready);
    this.plain = new StubPeer(
      this.ledger,
      connectInMemory(chaincodeOf(contracts)),
      new Uint8Array(),
    );
  }

  /** Simulates a call and commits nothing. */
  async evaluate(call: Call): Promise<Answer> {
    const number = ++this.transactions;
    const proposal: Proposal = {
      channelId: 'mychannel',
      txId: `tx-${number}`,
      fn: call.fn,
      args: call.args ?? [],
      transient: call.transient ?? {},
      mspId: call.mspId ?? 'Org1MSP',
      ...(call.certificate === undefined ? {} : { certificate: call.certificate }),
      seconds: 1_700_000_000 + number,
      nanos: 123_456_789,
    };
    const endorsements: Endorsement[] = [];
    for (const peer of [this.batching, this.plain, this.batching, this.plain]) {
      endorsements.push(await peer.endorse(proposal));
    }
    const [first, ...others] = endorsements as [Endorsement, ...Endorsement[]];
    for (const other of others) {
      if (fingerprint(other) !== fingerprint(first)) {
        throw new Error(`endorsements differ:\n${fingerprint(first)}\n${fingerprint(other)}`);
      }
    }
    const isOk = first.status === 200;
    const text = isOk ? first.payload.toString('utf8') : first.message;
    return { text, isOk, endorsement: first, txId: proposal.txId };
  }

  /** Submits a call in a block of its own; a refused one is not ordered. */
  async submit(call: Call): Promise<Answer> {
    const answer = await this.evaluate(call);
    if (answer.isOk) {
      const [validity] = this.commit([answer]);
      if (validity !== 'VALID') {
        throw new Error(`the transaction is ${validity}`);
      }
    }
    return answer;
  }

  /** Commits answers as one block, in this order. */
  commit(answers: readonly { readonly endorsement: Simulation }[]): Validity[] {
    return this.ledger.commit(answers.map((answer) => answer.endorsement));
  }
}

function fingerprint(endorsement: Endorsement): string {
  const { reads, writes, status, message, payload, event } = endorsement;
  return JSON.stringify({
    status,
    message,
    payload: payload.toString('hex'),
    event,
    reads: [...reads],
    writes: writes.map((write: StubWrite) => [write.key, write.value?.toString('hex') ?? null]),
  });
}
