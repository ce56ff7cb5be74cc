/** Claims of key prefixes: which organisation may write documents whose keys start with them. */
import { type Claim, decodeClaims } from '@shuttle/chaincode/ledger';
import { Command } from 'commander';
import { ShuttleError } from '../../errors.ts';
import { EXIT_OK } from '../io.ts';
import { type Cli, define, type Session } from '../session.ts';
import { table } from '../text.ts';
import { shownKey } from './list.ts';
import { submit } from './submit.ts';

/** Claims a prefix for one's own organisation, shares it anew, or releases it. */
export function claimCommand(cli: Cli): Command {
  const command = new Command('claim')
    .description("keep the keys that start with a prefix for one's own organisation")
    .argument('<prefix>', 'how the keys start')
    .option('--share <mspId...>', 'let these organisations write too, and no others')
    .option('--release', 'give the claim up')
    .addHelpText('after', ADMIN_HELP);
  return define(cli, command, { once: true }, async (session, [prefix = '']) => {
    const shared = (session.options.share as readonly string[] | undefined) ?? [];
    if (session.options.release !== true) {
      await change(session, 'Claimed', prefix, 'claim', [prefix, JSON.stringify(shared)]);
      return EXIT_OK;
    }
    if (shared.length > 0) {
      throw new ShuttleError('USAGE', '--share and --release exclude each other.');
    }
    await change(session, 'Released', prefix, 'releaseClaim', [prefix]);
    return EXIT_OK;
  });
}

const ADMIN_HELP = `
Needs the identity of an admin of the organisation: fabric.identity.msp. A claim that stands
already is shared anew, with exactly the organisations that are given.`;

/** Prints the claims of all organisations. */
export function claimsCommand(cli: Cli): Command {
  const command = new Command('claims').description('print the claims of all organisations');
  return define(cli, command, { once: true }, async (session) => {
    const ledger = await session.shuttle().ledger();
    const answer = await ledger.evaluate('getClaims', []);
    const claims = decodeAnswer(answer);
    if (session.json) {
      session.print(JSON.stringify({ claims }));
    } else if (claims.length === 0) {
      session.print('There are no claims: every organisation of the channel writes any key.');
    } else {
      printTable(session, claims);
    }
    return EXIT_OK;
  });
}

async function change(
  session: Session,
  done: string,
  prefix: string,
  transaction: string,
  args: readonly string[],
): Promise<void> {
  const { txId, blockNumber, result } = await submit(session, transaction, args);
  const claim = decodeAnswer(result).find((each) => each.prefix === prefix) ?? null;
  if (session.json) {
    session.print(JSON.stringify({ prefix, claim, txId, blockNumber: blockNumber.toString() }));
    return;
  }
  const others = claim === null || claim.shared.length === 0 ? '' : `, ${sharedWith(claim)}`;
  const owner = claim === null ? '' : ` for ${claim.mspId}${others}`;
  const where = `by transaction ${txId} in block ${blockNumber}`;
  session.print(`${done} ${shownKey(prefix)}${owner} ${where}.`);
}

function printTable(session: Session, claims: readonly Claim[]): void {
  const rows = claims.map((claim) => [shownKey(claim.prefix), claim.mspId, sharedWith(claim)]);
  for (const line of table([['prefix', 'owner', ''], ...rows])) {
    session.print(line);
  }
}

function sharedWith({ shared }: Claim): string {
  return shared.length === 0 ? '' : `shared with ${shared.join(', ')}`;
}

/** @throws ShuttleError CHAINCODE_UNFIT */
function decodeAnswer(answer: Uint8Array): Claim[] {
  try {
    return decodeClaims(Buffer.from(answer).toString('utf8'));
  } catch (cause) {
    throw new ShuttleError('CHAINCODE_UNFIT', 'The claims cannot be read.', { cause });
  }
}
