/** The parts of fabric-shim's insides that are used here; none of them is in its own types. */
declare module 'fabric-shim/lib/handler.js' {
  export interface ChaincodeMessage {
    getType(): number;
    getPayload_asU8(): Uint8Array;
    setType(type: number): void;
    setPayload(payload: Uint8Array): void;
    setTxid(txId: string): void;
    setChannelId(channelId: string): void;
  }

  type Listener = (message: ChaincodeMessage) => void;

  /** The stream of messages with one peer; functions as members, because the hook replaces them. */
  export interface ChaincodeStream {
    on: (this: ChaincodeStream, event: string, listener: Listener) => ChaincodeStream;
    write(message: ChaincodeMessage): boolean;
  }

  export class ChaincodeMessageHandler {
    constructor(stream: ChaincodeStream, chaincode: object);
    readonly _stream: ChaincodeStream;
    chat: (this: ChaincodeMessageHandler, register: ChaincodeMessage) => void;
    _askPeerAndListen(message: ChaincodeMessage, method: string): Promise<unknown>;
  }
}

declare module 'fabric-shim/lib/server.js' {
  import type { ChaincodeInterface, ChaincodeServerOpts } from 'fabric-shim';
  import type { ChaincodeStream } from 'fabric-shim/lib/handler.js';

  class ChaincodeServer {
    constructor(
      chaincode: ChaincodeInterface,
      options: Omit<ChaincodeServerOpts, 'tlsProps'> & {
        readonly tlsProps: { readonly key: Buffer; readonly cert: Buffer } | null;
      },
    );
    readonly _server: { tryShutdown(done: () => void): void; forceShutdown(): void };
    start(): Promise<void>;
    /** Called by gRPC for each peer that connects. */
    connect(stream: ChaincodeStream & { end(): void }): void;
  }
  export = ChaincodeServer;
}

declare module 'fabric-shim/lib/contract-spi/chaincodefromcontract.js' {
  import type { ChaincodeInterface } from 'fabric-shim';

  class ChaincodeFromContract implements ChaincodeInterface {
    constructor(
      contracts: (new () => object)[],
      serializers: {
        readonly transaction: string;
        readonly serializers: Readonly<Record<string, new () => object>>;
      },
      metadata: object,
      title: string,
      version: string,
    );
    Init: ChaincodeInterface['Init'];
    Invoke: ChaincodeInterface['Invoke'];
  }
  export = ChaincodeFromContract;
}
