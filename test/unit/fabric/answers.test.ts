import { status } from '@grpc/grpc-js';
import { GatewayError } from '@hyperledger/fabric-gateway';
import { describe, expect, it } from '@jest/globals';
import { ShuttleError } from '../../../bridge/src/errors.ts';
import {
  decodeAnswer,
  explain,
  mayLackChaincode,
  type Step,
} from '../../../bridge/src/fabric/answers.ts';

function gatewayError(code: number, message: string, details: string[] = []): GatewayError {
  return new GatewayError({
    code,
    message,
    details: details.map((text) => ({ address: 'peer:7051', mspId: 'Org1MSP', message: text })),
    cause: Object.assign(new Error(message), { code }) as never,
  });
}

function explained(step: Step, error: unknown): ShuttleError {
  const found = explain(step, 'peer:7051', error);
  expect(found).toBeInstanceOf(ShuttleError);
  return found as ShuttleError;
}

const refused = (text: string) =>
  gatewayError(status.ABORTED, '10 ABORTED: failed to endorse transaction', [text]);

describe("the chaincode's refusals", () => {
  it.each([
    ['GAP', 'GAP'],
    ['REPEATED', 'REPEATED'],
    ['LAYOUT_MISMATCH', 'LAYOUT_MISMATCH'],
    ['NOT_FOUND', 'NOT_FOUND'],
    ['VALUE_NOT_JSON', 'LEDGER_REFUSED'],
    ['BATCH_INVALID', 'LEDGER_REFUSED'],
  ])('%s is told as %s, with its own sentence', (refusal, code) => {
    const error = explained('endorse', refused(`chaincode response 500, ${refusal}: A sentence.`));
    expect([error.code, error.message]).toEqual([code, 'A sentence.']);
    expect(error.at).toMatchObject({ step: 'endorse', refusal });
  });

  it('LAYOUT_MISSING comes from a peer that lags behind: it is tried again', () => {
    const text = 'chaincode response 500, LAYOUT_MISSING: No layout.';
    expect(explained('endorse', refused(text)).kind.retry).toBe('later');
  });
});

describe('an answer that is not what this release reads', () => {
  it('is of another chaincode, not a defect of the bridge', () => {
    const decode = (json: string): unknown =>
      decodeAnswer('getWatermarks', Buffer.from(json), JSON.parse);
    expect(decode('{"a":1}')).toEqual({ a: 1 });
    expect(() => decode('<html>')).toThrow(expect.objectContaining({ code: 'CHAINCODE_UNFIT' }));
  });
});

describe('a transaction that the chaincode does not have', () => {
  it('is not tried again: the chaincode is of another kind or release', () => {
    const text = "You've asked to invoke a function that does not exist: setData";
    const error = explained('endorse', refused(`chaincode response 500, ${text}`));
    expect([error.code, error.kind.retry]).toEqual(['CHAINCODE_UNFIT', 'never']);
    expect(error.message).toContain(text);
  });
});

describe('what is known of the effect', () => {
  it.each<[Step, number, string, string]>([
    ['evaluate', status.UNAVAILABLE, 'FABRIC_UNREACHABLE', 'none'],
    ['endorse', status.DEADLINE_EXCEEDED, 'FABRIC_UNREACHABLE', 'none'],
    ['endorse', status.FAILED_PRECONDITION, 'ENDORSE_FAILED', 'none'],
    ['submit', status.UNAVAILABLE, 'SUBMIT_UNKNOWN', 'unknown'],
    ['submit', status.DEADLINE_EXCEEDED, 'SUBMIT_UNKNOWN', 'unknown'],
    ['submit', status.ABORTED, 'SUBMIT_UNKNOWN', 'unknown'],
    ['commit status', status.UNAVAILABLE, 'COMMIT_UNKNOWN', 'unknown'],
  ])('after %s with gRPC status %i: %s', (step, code, expected, effect) => {
    const error = explained(step, gatewayError(code, `${code} SOME_NAME: what happened`));
    expect([error.code, error.kind.effect]).toEqual([expected, effect]);
    expect(error.message).toMatch(/^The .* failed: what happened\.$/);
  });

  it('an orderer that refuses the envelope for good had no effect', () => {
    const text = 'received unsuccessful response from orderer: status=REQUEST_ENTITY_TOO_LARGE';
    const error = explained('submit', gatewayError(status.ABORTED, text));
    expect([error.code, error.kind.retry]).toEqual(['LEDGER_REFUSED', 'never']);
  });

  it("the peer's limit of concurrent calls passes", () => {
    const text = '2 UNKNOWN: too many requests for /gateway.Gateway, exceeding concurrency limit';
    const error = explained('commit status', gatewayError(status.UNKNOWN, text));
    expect([error.code, error.kind.retry]).toEqual(['LEDGER_BUSY', 'later']);
  });
});

describe('what does not pass', () => {
  it.each([
    ['access denied: channel [c] creator org [Org1MSP]', 'ACCESS_DENIED'],
    ['proposal client identity expired', 'ACCESS_DENIED'],
    ['broadcast client identity expired', 'ACCESS_DENIED'],
    ['failed to get config for channel [c]: could not get last config', 'CHANNEL_MISSING'],
    ['make sure the chaincode x has been successfully defined on channel c', 'CHAINCODE_MISSING'],
  ])('%s', (text, code) => {
    const error = explained('evaluate', gatewayError(status.UNAVAILABLE, text));
    expect([error.code, error.kind.retry]).toEqual([code, 'never']);
    expect(error.message).toBe(`The peer peer:7051 answered: ${text}.`);
  });

  it('discovery that knows no chaincode only may mean that there is none', () => {
    const text = '9 FAILED_PRECONDITION: no peers available to evaluate chaincode x in channel c';
    const error = explained('evaluate', gatewayError(status.FAILED_PRECONDITION, text));
    expect([error.kind.retry, mayLackChaincode(error)]).toEqual(['later', true]);
  });
});

it('what is not an answer of the gateway stays what it is', () => {
  const error = new TypeError('a defect');
  expect(explain('endorse', 'peer:7051', error)).toBe(error);
});
