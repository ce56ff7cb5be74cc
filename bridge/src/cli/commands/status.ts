import { Command } from 'commander';
import { EXIT_OK } from '../io.ts';
import { type Cli, define } from '../session.ts';
import type { PartitionStatus, Status } from '../shuttle.ts';
import { plainJson, table } from '../text.ts';

/** How far both directions are. */
export function statusCommand(cli: Cli): Command {
  const command = new Command('status').description(
    'print watermarks, lag, and the last block on the ledger and on its topic',
  );
  return define(cli, command, { once: true }, async (session) => {
    const status = await session.shuttle().status();
    session.print(session.json ? plainJson(status) : statusText(status));
    return EXIT_OK;
  });
}

function statusText({ kafka, ledger, blocks, partitions }: Status): string {
  const behind = ledger.lastBlock - (blocks.lastBlock ?? -1n);
  const published =
    blocks.lastBlock === null
      ? `nothing on ${blocks.topic} yet`
      : `block ${blocks.lastBlock} on ${blocks.topic}, ${behind} behind`;
  return [
    ...table([
      ['Kafka', `${kafka.clusterId} as stream ${kafka.stream}, group ${kafka.groupId}`],
      ['Ledger', `${ledger.channel}, chaincode ${ledger.chaincode}, as ${ledger.mspId}`],
      ['Genesis', ledger.genesisHash],
      ['Last block', ledger.lastBlock.toString()],
      ['Published', published],
    ]),
    '',
    ...(partitions.length === 0
      ? ['A source topic does not exist yet.']
      : partitionTable(partitions)),
  ].join('\n');
}

function partitionTable(partitions: readonly PartitionStatus[]): string[] {
  return table([
    ['PARTITION', 'START', 'END', 'ACKED', 'LAG', 'LANES', 'WATERMARK'],
    ...partitions.map(partitionRow),
  ]);
}

function partitionRow(at: PartitionStatus): string[] {
  const shown = (value: bigint | number | null) => (value === null ? '-' : value.toString());
  return [
    `${at.topic}/${at.partition}`,
    shown(at.logStart),
    shown(at.logEnd),
    shown(at.acked),
    shown(at.lag),
    shown(at.lanes),
    shown(at.watermark),
  ];
}
