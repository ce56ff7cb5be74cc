import { expect, test } from '@jest/globals';
import { mostNamed } from '../../../network/src/ordering-node.ts';

test('the leader is the one that most nodes name, not the one of a node that fell behind', () => {
  expect(mostNamed([1, 2, 2, 2])).toBe(2);
  expect(mostNamed([2, 1, 2])).toBe(2);
  expect(mostNamed([3])).toBe(3);
  expect(mostNamed([])).toBe(0);
});
