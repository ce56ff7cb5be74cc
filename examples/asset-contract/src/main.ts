/** Serves the contract as a process of its own: `node dist/main.js`. */
import { runService } from '@shuttle/chaincode/service';

void runService(() => import('./index.ts'));
