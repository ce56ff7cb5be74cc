/**
 * npm run bench:protection: what proof, encryption and attestation cost the publisher. The same blocks are
 * published to all four topics in turn: plain, proven, attested, encrypted, both; several rounds.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { createAttester } from '@shuttle/bridge/dist/block/attestation.js';
import { createEncryptor } from '@shuttle/bridge/dist/block/encryption.js';
import { OUTPUTS } from '@shuttle/bridge/dist/block/records.js';
import type { PublishOptions } from '@shuttle/bridge/dist/publish/publish.js';
import { measureCeiling } from './inbound.ts';
import { measurePublish } from './outbound.ts';
import { createWorld, median, type World } from './world.ts';

const { values: args } = parseArgs({
  options: {
    records: { type: 'string', default: '60000' },
    rounds: { type: 'string', default: '5' },
    'port-offset': { type: 'string', default: '21500' },
  },
});

const say = (line: string): void => void process.stderr.write(`${line}\n`);

type Protection = Pick<PublishOptions, 'encrypt' | 'attest' | 'prove'>;

function protections(channel: string): ReadonlyMap<string, Protection> {
  const encrypt = createEncryptor(channel, 'bench', randomBytes(32));
  const attest = createAttester(generateKeyPairSync('ed25519').privateKey);
  return new Map<string, Protection>([
    ['plain', {}],
    ['proven', { prove: true }],
    ['attested', { attest }],
    ['encrypted', { encrypt }],
    ['both', { attest, encrypt }],
  ]);
}

interface Cost {
  readonly seconds: number[];
  readonly cpuSeconds: number[];
}

async function measure(world: World, rounds: number): Promise<void> {
  const kinds = [...protections(world.description.channel)];
  const costs = new Map(kinds.map(([name]): [string, Cost] => [name, noCost()]));
  await measurePublish(world, OUTPUTS);
  let records = 0;
  let blocks = 0;
  for (let round = 0; round < rounds; round++) {
    // Another order each time, so that none has always the same one before it.
    const order = [...kinds.slice(round % kinds.length), ...kinds.slice(0, round % kinds.length)];
    for (const [name, protection] of order) {
      const run = await measurePublish(world, OUTPUTS, protection);
      costs.get(name)?.seconds.push(run.seconds);
      costs.get(name)?.cpuSeconds.push(run.cpuSeconds);
      ({ records, blocks } = run.summary);
      say(`${name}: ${run.seconds.toFixed(2)} s, ${run.cpuSeconds.toFixed(2)} s of CPU`);
    }
  }
  process.stdout.write(`${records} records of ${blocks} blocks, medians of ${rounds} rounds\n`);
  const plain = costs.get('plain') ?? noCost();
  for (const [name, { seconds, cpuSeconds }] of costs) {
    const took = median(seconds);
    const cpu = median(cpuSeconds);
    const figures = [
      name.padEnd(10),
      `${took.toFixed(2)} s`,
      `${(took / median(plain.seconds)).toFixed(2)} of plain`,
      `CPU ${cpu.toFixed(2)} s`,
      `${(cpu / median(plain.cpuSeconds)).toFixed(2)} of plain`,
      `${(((cpu - median(plain.cpuSeconds)) / records) * 1e6).toFixed(1)} us a record more`,
    ];
    process.stdout.write(`${figures.join('  ')}\n`);
  }
}

const noCost = (): Cost => ({ seconds: [], cpuSeconds: [] });

async function main(): Promise<void> {
  const world = await createWorld(say, false, Number(args['port-offset']));
  try {
    await measureCeiling(world, Number(args.records));
    await measure(world, Number(args.rounds));
  } finally {
    await world.close();
  }
}

await main();
