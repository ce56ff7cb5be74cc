/** What a verification has found, for people. */
import { CHAIN_FINDINGS, type ChainFinding, type ChainFindingCode } from '../chain/findings.ts';
import type { PeerComparison } from '../chain/peers.ts';
import type { ChainSummary, CodesBy } from '../chain/verify.ts';
import { DOUBTS, type Doubt } from '../verify/findings.ts';
import { counted, grouped, table } from './text.ts';
import type { Trust } from './trust.ts';

/** `block 12, transaction 3, byte 4567  CODE_WRONG  The code ...` */
export function findingText(finding: ChainFinding | Doubt): string {
  const { block, transaction, byte, code, sentence } = finding;
  const place = [
    `block ${block}`,
    transaction === null ? '' : `transaction ${transaction}`,
    byte === null ? '' : `byte ${byte}`,
  ];
  return `${place.filter(Boolean).join(', ')}  ${code}  ${sentence}`;
}

const CODES_BY: Readonly<Record<Exclude<CodesBy, 'none'>, string>> = {
  state: 'proven by the state, followed from block 0 on, but for ranges that were read',
  attestations: 'as the commit hashes state them, which the bridge has signed',
  'commit-hashes':
    'as the commit hashes state them, which nobody signs: see --replay, --peer, --attested-by',
};

/** Findings by their codes, then doubts, then how far the chain is proven and on what it rests. */
export function chainLines(source: string, summary: ChainSummary, trust: Trust): string[] {
  const { first, last, proven, blocks, transactions, findingCounts, doubts } = summary;
  const counts = Object.entries(findingCounts) as [ChainFindingCode, number][];
  const span = first === null ? 'no block' : `blocks ${first} to ${last?.number}`;
  const isWhole = proven !== null && proven.number === last?.number;
  return [
    ...counts.map(([code, count]) => `${grouped(count)} x ${code}: ${CHAIN_FINDINGS[code]}`),
    ...Object.values(doubts).flatMap(({ count, example }) => doubtText(count, example)),
    ...table([
      ['source', source],
      ['read', `${span}, ${counted(transactions, 'transaction')}`],
      ['verified', grouped(blocks.verified)],
      ['unverifiable', grouped(blocks.unverifiable)],
      ['failed', grouped(blocks.failed)],
      ...(proven === null
        ? [['proven', 'nothing']]
        : [
            [isWhole ? 'height' : 'proven up to', `${proven.number}`],
            ['hash', proven.hash],
            ['commit hash', proven.commitHash ?? 'none'],
          ]),
      ...(summary.codesBy === 'none' ? [] : [['codes', CODES_BY[summary.codesBy]]]),
      ['trust', trustText(trust, summary.genesisHash)],
      ...summary.peers.map((peer) => ['peer', peerText(peer)]),
    ]),
  ];
}

/** Each doubt once, with how often there is one of its kind. */
export function doubtLines(doubts: readonly Doubt[]): string[] {
  const firsts = doubts.filter(
    ({ code }, index) => doubts.findIndex((each) => each.code === code) === index,
  );
  return firsts.flatMap((first) =>
    doubtText(doubts.filter(({ code }) => code === first.code).length, first),
  );
}

function doubtText(count: number, example: Doubt): string[] {
  const { code } = example;
  return [
    `${grouped(count)} x not proven, ${code}: ${DOUBTS[code]}`,
    `    ${findingText(example)}`,
  ];
}

export function trustText({ kind, file }: Trust, genesisHash: string | null): string {
  const genesis = genesisHash ?? 'no genesis block was there';
  switch (kind) {
    case 'pinned':
      return `${genesis}, the genesis block that was pinned`;
    case 'stored':
      return `${genesis}, the genesis block that ${file} holds`;
    case 'first-use':
      return `${genesis}, on first use: nobody has said that it is right; pin it with --genesis`;
  }
}

function peerText({ endpoint, comparedTo, finding, error }: PeerComparison): string {
  if (error !== null) {
    return `${endpoint} could not be compared: ${error.code}, ${error.message}`;
  }
  if (comparedTo === null) {
    return `${endpoint} has no block yet`;
  }
  return finding === null
    ? `${endpoint} has committed the same up to block ${comparedTo}`
    : `${endpoint} has committed something else from block ${finding.block} on`;
}
