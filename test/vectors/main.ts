/** Records the channels of the test vectors anew: `npm run vectors`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FABRIC_VERSION } from '@shuttle/network';
import { joinBlocks } from '../support/block-file.ts';
import { recordChannel } from '../support/recorded-channel.ts';
import { type Expected, expectedOf } from './expected.ts';

const PROFILES = ['raft', 'bft'] as const;
const PORT_OFFSET = 20_000;
const FOLDER = 'test/vectors';

for (const profile of PROFILES) {
  const startedAt = performance.now();
  process.stderr.write(`Recording a channel of the ${profile} profile\n`);
  const recorded = await recordChannel({ profile, portOffset: PORT_OFFSET, length: 'short' });
  const folder = join(FOLDER, profile);
  const expected = expectedOf(recorded, FABRIC_VERSION);
  await mkdir(folder, { recursive: true });
  const file = joinBlocks(recorded.blocks.Org1MSP);
  await writeFile(join(folder, 'blocks.bin'), file);
  await writeFile(join(folder, 'expected.json'), `${JSON.stringify(expected, undefined, 2)}\n`);
  await writeFile(join(folder, 'README.md'), readme(expected, file.length));
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  process.stdout.write(`Wrote ${folder}: ${recorded.codes.length} blocks, ${seconds} s\n`);
}

function readme({ profile, fabric, channel, blocks, transactions }: Expected, bytes: number) {
  const codes = [...new Set(transactions.map(({ code }) => code))].sort().join(', ');
  const configs = blocks.filter(({ isConfig }) => isConfig).map(({ number }) => number);
  const rows = transactions.map(({ what, block, index, code }) => {
    return `| ${block} | ${index} | ${code} | ${what} |`;
  });
  return `# A recorded channel: ${profile}

All ${blocks.length} blocks of a real channel (\`${channel}\`, Hyperledger Fabric ${fabric}, ordering by ${profile}), as the peer of Org1MSP gave them.
An honest chain: a verifier finds nothing wrong in it. Made by \`npm run vectors\`, which records it anew with other keys.

- \`blocks.bin\` (${bytes} bytes): for each block its length as a varint of protobuf, then the bytes of \`common.Block\`.
- \`expected.json\`: place, hashes and validation codes of each block, and the transactions of the table below.

Header hash: SHA-256 of DER SEQUENCE {INTEGER number, OCTET STRING previous hash, OCTET STRING data hash}. Data hash: SHA-256 of all entries
of the block one after another. Commit hash: what the peer states in the block's metadata, slot 4. docs/verification.md tells the rest.

Validation codes: ${codes}. Blocks with a configuration: ${configs.join(', ')}.

| block | transaction | code | what it is |
|---|---|---|---|
${rows.join('\n')}
`;
}
