/** The chaincode's entry: fabric-chaincode-node, and main.ts, look for these two names. */
import { type Applied, BatchContract, type IncomingRecord } from '@shuttle/chaincode';
import { judge } from './rule.ts';

export { serializers } from '@shuttle/chaincode';

export class AssetContract extends BatchContract {
  constructor() {
    super('assets');
  }

  /** The rule looks at what the asset is now. */
  protected override readsCurrent(): boolean {
    return true;
  }

  protected override apply(record: IncomingRecord, current: Uint8Array | null): Applied {
    return judge(record, current);
  }
}

export const contracts = [AssetContract];
