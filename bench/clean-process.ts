/**
 * The cleaning alone, on a broker of its own: npm run bench:clean -- [--rows N] [--events N]
 * [--node-option X]
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startNetwork } from '@shuttle/network';
import { measureClean } from './clean.ts';

const { values: args } = parseArgs({
  options: {
    rows: { type: 'string', default: '100000' },
    events: { type: 'string', default: '100000' },
    'port-offset': { type: 'string', default: '21500' },
    'node-option': { type: 'string', multiple: true, default: [] },
  },
});

const dir = await mkdtemp(join(tmpdir(), 'shuttle-bench-'));
const network = await startNetwork({ dir, portOffset: Number(args['port-offset']), fabric: false });
try {
  const brokers = network.description.kafka.brokers.join(',');
  const { PATH, HOME } = process.env;
  const world = {
    brokers,
    environment: { PATH, HOME, SHUTTLE_KAFKA__BROKERS: brokers },
    say: (line: string) => process.stderr.write(`${line}\n`),
  };
  const options = args['node-option'];
  const rows = await measureClean(world, 'rows', Number(args.rows), options);
  const events = await measureClean(world, 'events', Number(args.events), options);
  process.stdout.write(`${JSON.stringify({ rows, events }, null, 2)}\n`);
} finally {
  await network.stop({ delete: true });
}
