/** The part of fabric-shim's insides that write-batch.ts hooks; none of it is in its own types. */
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
