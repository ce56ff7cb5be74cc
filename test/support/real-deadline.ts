/** What real brokers and peers take on a machine that does other work as well, and then some. */
import { jest } from '@jest/globals';

jest.setTimeout(300_000);
