/**
 * The rule of the example: an asset is created, shipped and received, in this order; its owner
 * alone says so; and the distance it has come never decreases.
 *
 * A pure function of its arguments: so every endorser decides the same, and so it is tested without
 * a network.
 */
import { type Applied, type IncomingRecord, parseDocument, refuse } from '@shuttle/chaincode/rule';

/** What may follow on what; nothing follows on `received`. */
const NEXT = { created: 'shipped', shipped: 'received', received: null } as const;

export type AssetState = keyof typeof NEXT;

export interface Asset {
  /** MSP id of the organisation that may change it; the owner names the next one. */
  readonly owner: string;
  readonly state: AssetState;
  /** How far it has come, in whole km. */
  readonly distanceKm: number;
}

/** Decides about one record of an asset. Members that are not an asset's are kept as they are. */
export function judge(record: IncomingRecord, current: Uint8Array | null): Applied {
  const held = current === null ? null : assetOf(current);
  if (held !== null && held.owner !== record.mspId) {
    return refuse('NOT_THE_OWNER', `${record.mspId} cannot change what ${held.owner} owns.`);
  }
  if (record.value === null) {
    return held === null || held.state === 'received'
      ? null
      : refuse('NOT_RECEIVED', `An asset that is ${held.state} cannot be deleted.`);
  }
  const asset = assetOf(record.value);
  if (asset === null) {
    return refuse('NOT_AN_ASSET', 'An asset has an owner, a state and a distanceKm of 0 or more.');
  }
  return held === null ? judgeFirst(asset, record.value) : judgeNext(held, asset, record.value);
}

function judgeFirst(asset: Asset, document: Uint8Array): Applied {
  return asset.state === 'created'
    ? document
    : refuse('TRANSITION_INVALID', `An asset begins as created, not as ${asset.state}.`);
}

function judgeNext(held: Asset, asset: Asset, document: Uint8Array): Applied {
  if (asset.state !== NEXT[held.state]) {
    const sentence = `An asset that is ${held.state} cannot become ${asset.state}.`;
    return refuse('TRANSITION_INVALID', sentence);
  }
  if (asset.distanceKm < held.distanceKm) {
    const sentence = `The distance was ${held.distanceKm} km; it cannot be ${asset.distanceKm} km.`;
    return refuse('DISTANCE_DECREASED', sentence);
  }
  return document;
}

/** Null when the document is not an asset. */
function assetOf(document: Uint8Array): Asset | null {
  const { owner, state, distanceKm } = (parseDocument(document) ?? {}) as Record<string, unknown>;
  const isDistance = Number.isSafeInteger(distanceKm) && Number(distanceKm) >= 0;
  if (typeof owner !== 'string' || owner === '' || !isState(state) || !isDistance) {
    return null;
  }
  return { owner, state, distanceKm: Number(distanceKm) };
}

function isState(state: unknown): state is AssetState {
  return typeof state === 'string' && Object.hasOwn(NEXT, state);
}
