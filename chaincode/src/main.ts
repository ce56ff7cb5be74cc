/** Serves Shuttle's contract: `node dist/main.js`, with the settings that service.ts names. */
import { runService } from './service.ts';

void runService(() => import('./index.ts'));
