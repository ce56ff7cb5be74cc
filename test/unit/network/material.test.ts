import { expect, test } from '@jest/globals';
import { newClusterId } from '../../../network/src/material.ts';

test('a cluster id is never taken for an option of the storage tool', () => {
  // The first six bits make the first character: 62 is a dash.
  const uuids = ['fa000000-0000-4000-8000-000000000001', 'fb000000-0000-4000-8000-000000000002'];
  const random = (): string => uuids.shift() ?? '0a000000-0000-4000-8000-000000000003';
  expect(newClusterId(random)).toBe('CgAAAAAAQACAAAAAAAAAAw');
});
