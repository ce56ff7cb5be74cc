import { describe, expect, test } from '@jest/globals';
import { errorJson, renderError } from '../../../bridge/src/cli/render-error.ts';
import { ShuttleError } from '../../../bridge/src/errors.ts';

const deep = new ShuttleError('FABRIC_UNREACHABLE', 'The peer localhost:7051 does not answer.', {
  at: { peer: 'localhost:7051', block: 12n },
  cause: new Error('14 UNAVAILABLE: no connection', {
    cause: new AggregateError([new Error('connect ECONNREFUSED ::1'), new Error('again')]),
  }),
});

describe('an error', () => {
  test('is a sentence, where, why and what to do', () => {
    expect(renderError(deep)).toMatchSnapshot();
  });

  test('with several places has one line for each', () => {
    const error = new ShuttleError('CONFIG_INVALID', '2 settings are not valid: a, b.', {
      at: { a: 'x (f:1)', b: 'y (f:2)' },
    });
    expect(renderError(error)).toMatchSnapshot();
  });

  test('is the same in JSON, on one line, with bigint as text', () => {
    const json = errorJson(deep);
    expect(json).not.toContain('\n');
    expect(JSON.parse(json)).toMatchSnapshot();
  });

  test('does not repeat a cause that its sentence already tells, nor follow a circle', () => {
    const cause = new Error('no connection');
    cause.cause = cause;
    const error = new ShuttleError('KAFKA_UNREACHABLE', 'No broker: no connection.', { cause });
    expect(renderError(error)).toBe(
      'Error: No broker: no connection. [KAFKA_UNREACHABLE]\n' +
        '  Do:    Check kafka.brokers, TLS and SASL settings, and that the brokers run.\n',
    );
  });
});
