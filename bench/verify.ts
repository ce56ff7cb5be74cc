/**
 * npm run bench:verify: offline verification against a bare node:crypto loop that does the same
 * hashes and signatures, on a channel that is recorded first (or an archive: --file FILE).
 */
import { createHash, createVerify, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeBlock, headerBytes } from '@shuttle/bridge/dist/block/decode.js';
import { COMMIT_HASH, readBlock } from '@shuttle/bridge/dist/verify/block-bytes.js';
import {
  readAction,
  readEnvelope,
  readPayload,
  readSignatureHeader,
  readSimulation,
} from '@shuttle/bridge/dist/verify/envelope.js';
import { readAccessSets } from '@shuttle/bridge/dist/verify/rwset.js';
import { Updates, versionBytes } from '@shuttle/bridge/dist/verify/updates.js';
import { bytesField, uvarint } from '@shuttle/bridge/dist/verify/wire.js';
import { createVerifier } from '@shuttle/bridge/verify';
import { measureCeiling, measureNaive } from './inbound.ts';
import { createWorld, median } from './world.ts';

const ROUNDS = 15;
/** Those that are not counted: V8 compiles for so long, on other threads whose time counts. */
const WARM_UP_ROUNDS = 3;

const { values: args } = parseArgs({
  options: {
    records: { type: 'string', default: '200000' },
    file: { type: 'string' },
    save: { type: 'string' },
    'port-offset': { type: 'string', default: '21500' },
  },
});

/** What a bare loop has to do for a block: digests to make, and signatures to check. */
interface Work {
  readonly digests: (readonly Uint8Array[])[];
  readonly signatures: Signature[];
}

interface Signature {
  readonly key: KeyObject;
  readonly pieces: readonly Uint8Array[];
  readonly signature: Uint8Array;
}

const keys = new Map<string, KeyObject>();

function keyOf(identity: Buffer): KeyObject {
  const name = identity.toString('latin1');
  const known = keys.get(name) ?? new X509Certificate(bytesField(identity, 2)).publicKey;
  keys.set(name, known);
  return known;
}

function workOf(bytes: Uint8Array): Work {
  const { header, entries, metadata, signatures: signed } = readBlock(bytes);
  const work: Work = { digests: [entries, [headerBytes(header)]], signatures: [] };
  for (const { signatureHeader, signature } of signed.signatures) {
    const pieces = [signed.value, signatureHeader, headerBytes(header)];
    work.signatures.push({ key: keyOf(bytesField(signatureHeader, 1)), pieces, signature });
  }
  const codes = decodeBlock(bytes).validationCodes;
  const updates = new Updates();
  entries.forEach((entry, index) => {
    const { payload, signature } = readEnvelope(entry);
    const { header: heads, data } = readPayload(payload);
    const [channelHeader, signatureHeader] = [bytesField(heads ?? payload, 1), heads ?? payload];
    const { creator, nonce } = readSignatureHeader(bytesField(signatureHeader, 2));
    const action = header.number === 0n ? null : readAction(data);
    if (action === null || creator.length === 0) {
      return;
    }
    work.signatures.push({ key: keyOf(creator), pieces: [payload], signature });
    work.digests.push([nonce, creator]);
    work.digests.push([channelHeader, action.signatureHeader, action.proposalPayload]);
    for (const { endorser, signature: endorsement } of action.endorsements) {
      const pieces = [action.responsePayload, endorser];
      work.signatures.push({ key: keyOf(endorser), pieces, signature: endorsement });
    }
    if (codes[index] === 0) {
      const { results } = readSimulation(action.responsePayload);
      updates.apply(readAccessSets(results), versionBytes(header.number, index));
    }
  });
  const commitHash = bytesField(metadata[COMMIT_HASH] ?? Buffer.alloc(0), 1);
  work.digests.push([uvarint(codes.length), codes, ...piecesOf(updates), commitHash]);
  return work;
}

/** What a commit hash is made of, piece by piece. */
function piecesOf(updates: Updates): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const collector = {
    update: (piece: Uint8Array) => {
      pieces.push(Uint8Array.from(piece));
    },
  };
  updates.hashInto(collector);
  return pieces;
}

/** CPU time, in milliseconds: both loops wait for nothing, and the machine is not theirs alone. */
function cpuMs(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}

function runBare(works: readonly Work[]): void {
  for (const { digests, signatures } of works) {
    for (const pieces of digests) {
      const hash = createHash('sha256');
      for (const piece of pieces) {
        hash.update(piece);
      }
      hash.digest();
    }
    for (const { key, pieces, signature } of signatures) {
      const verifier = createVerify('sha256');
      for (const piece of pieces) {
        verifier.update(piece);
      }
      verifier.verify(key, signature);
    }
  }
}

function runVerifier(blocks: readonly Uint8Array[], genesisHash: string): void {
  const verifier = createVerifier({ genesisHash, channel: null });
  for (const bytes of blocks) {
    const { number, verdict, findings, doubts } = verifier.verify(bytes);
    if (verdict !== 'verified') {
      throw new Error(
        `Block ${number} is ${verdict}: ${JSON.stringify([findings, doubts].flat(), bigints)}`,
      );
    }
  }
}

const bigints = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : value;

async function record(): Promise<Uint8Array[]> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const world = await createWorld(say, false, Number(args['port-offset']));
  try {
    await measureNaive(world, 16, 3_000);
    await measureCeiling(world, Number(args.records));
    const height = await world.ledger.height();
    const blocks: Uint8Array[] = [];
    const end = new AbortController();
    for await (const bytes of world.ledger.blocks(0n, end.signal)) {
      blocks.push(bytes);
      if (BigInt(blocks.length) >= height) {
        break;
      }
    }
    return blocks;
  } finally {
    await world.close();
  }
}

function unpacked(file: Buffer): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < file.length; ) {
    const length = file.readUInt32BE(at);
    blocks.push(file.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return blocks;
}

/** What a verifier holds on the heap after so many of the blocks, in bytes. */
function heldBytes(from: readonly Uint8Array[], genesisHash: string): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed: before } = process.memoryUsage();
  const verifier = createVerifier({ genesisHash, channel: null });
  for (const bytes of from) {
    verifier.verify(bytes);
  }
  collect();
  const held = process.memoryUsage().heapUsed - before;
  // It must be alive until here.
  verifier.checkpoint();
  return held;
}

const blocks = args.file === undefined ? await record() : unpacked(await readFile(args.file));
if (args.save !== undefined) {
  const lengths = (bytes: Uint8Array) => Buffer.from(Uint32Array.of(bytes.length).buffer).swap32();
  await writeFile(args.save, Buffer.concat(blocks.flatMap((bytes) => [lengths(bytes), bytes])));
}
const works = blocks.map(workOf);
const genesisHash = decodeBlock(blocks[0] ?? Buffer.alloc(0)).hash;
const bare: number[] = [];
const own: number[] = [];
let first = 0;
for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
  const times = [
    cpuMs(() => runBare(works)),
    cpuMs(() => runVerifier(blocks, genesisHash)),
  ] as const;
  first ||= times[0] / times[1];
  if (round >= WARM_UP_ROUNDS) {
    bare.push(times[0]);
    own.push(times[1]);
  }
}
const bytes = blocks.reduce((sum, each) => sum + each.length, 0);
const ratios = own.map((ms, round) => (bare[round] ?? 0) / ms);
const signatures = works.reduce((sum, each) => sum + each.signatures.length, 0);
const held = [0.25, 0.5, 1].map((share) => {
  return heldBytes(blocks.slice(0, Math.ceil(blocks.length * share)), genesisHash) / 1e6;
});
process.stdout.write(
  `${blocks.length} blocks, ${(bytes / 1e6).toFixed(1)} MB, ${signatures} signatures\n` +
    `bare loop   ${median(bare).toFixed(0)} ms CPU\n` +
    `verifier    ${median(own).toFixed(0)} ms CPU, ${(bytes / 1e3 / median(own)).toFixed(0)} MB/s\n` +
    `bare / verifier  ${median(ratios).toFixed(2)}  >= 0.6 ` +
    `(${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}; the first time ${first.toFixed(2)})\n` +
    `heap held after a quarter, a half and all of the blocks  ` +
    `${held.map((megabytes) => megabytes.toFixed(1)).join(', ')} MB\n`,
);
