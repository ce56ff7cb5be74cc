/** verify --proof: checks a file of evidence, on a machine that has nothing else. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { decodeEnvelope } from '@shuttle/chaincode/envelope';
import { ShuttleError } from '../../errors.ts';
import { EVIDENCE_BYTES_MAX } from '../../limits.ts';
import {
  type EvidenceReport,
  type ProvenTransaction,
  verifyEvidence,
} from '../../verify/evidence.ts';
import { createFile } from '../blocks-files.ts';
import { EXIT_FINDINGS, EXIT_OK } from '../io.ts';
import type { Session } from '../session.ts';
import { counted, plainJson, table } from '../text.ts';
import { keepTrust, readTrust, type Trust } from '../trust.ts';
import { doubtLines, findingText, trustText } from '../verify-text.ts';

/** @throws ShuttleError FILE_UNREADABLE */
export async function verifyProof(session: Session, path: string): Promise<number> {
  const { io, options } = session;
  const trust = await readTrust(options, io.cwd);
  const text = await readEvidence(resolve(io.cwd, path));
  const evidence = verifyEvidence(text, { genesisHash: trust.genesisHash });
  const { verdict, proven } = evidence;
  const document = proven === null ? null : documentOf(proven);
  if (proven !== null && verdict === 'verified') {
    await keepTrust(trust, proven.genesisHash, io);
    await writeDocument(session, document);
  }
  report(session, evidence, document, trust);
  const isDoubted = options.strict === true && trust.genesisHash === null;
  return verdict === 'verified' && !isDoubted ? EXIT_OK : EXIT_FINDINGS;
}

async function readEvidence(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > EVIDENCE_BYTES_MAX) {
      throw new RangeError(`it has ${size} bytes, and evidence at most ${EVIDENCE_BYTES_MAX}`);
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new ShuttleError('FILE_UNREADABLE', `The file ${path} cannot be read.`, {
      cause,
      at: { path },
    });
  }
}

/** The document in Shuttle's envelope, or what another chaincode has written; null deletes. */
function documentOf({ value }: ProvenTransaction): Uint8Array | null {
  if (value === null) {
    return null;
  }
  try {
    return decodeEnvelope(value).versions.at(-1)?.document ?? null;
  } catch {
    return value;
  }
}

/** With --out, the exact bytes of the document as a file. */
async function writeDocument({ io, options }: Session, document: Uint8Array | null): Promise<void> {
  if (typeof options.out === 'string' && document !== null) {
    const file = await createFile(resolve(io.cwd, options.out), io, options.force === true);
    await file.write(document);
    await file.finish();
  }
}

function report(
  { json, print, options }: Session,
  { verdict, findings, doubts, proven }: EvidenceReport,
  document: Uint8Array | null,
  trust: Trust,
): void {
  const text = document === null ? null : Buffer.from(document).toString('utf8');
  if (json) {
    const { value: _, ...facts } = proven ?? { value: null };
    const told = proven === null ? null : { ...facts, document: text };
    print(plainJson({ verdict, trust, proven: told, findings, doubts }));
    return;
  }
  for (const finding of findings) {
    print(findingText(finding));
  }
  for (const line of doubtLines(doubts)) {
    print(line);
  }
  for (const line of proven === null ? [] : provenLines(proven, trust)) {
    print(line);
  }
  if (proven !== null && proven.key !== null && typeof options.out !== 'string') {
    print(text === null ? 'deleted' : text);
  }
  print(verdict === 'verified' ? 'proven' : `not proven: ${counted(findings.length, 'finding')}`);
}

function provenLines(proven: ProvenTransaction, trust: Trust): string[] {
  const { channel, chaincode, key, block, hash, transaction, txId } = proven;
  return table([
    ...(key === null ? [] : [['key', `${key}, of ${chaincode}`]]),
    ['transaction', txId],
    ['made by', proven.creatorMspId],
    ['endorsed by', proven.endorserMspIds.join(', ')],
    ['block', `${block} of ${channel}, entry ${transaction}, hash ${hash}`],
    ['trust', trustText(trust, proven.genesisHash)],
  ]);
}
