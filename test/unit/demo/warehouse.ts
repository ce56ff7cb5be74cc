/** Follows goods through events, as a warehouse would, and objects to what cannot be. */
import { type AnyEvent, quantitiesOf } from './checks.ts';

export interface Warehouse {
  /** What cannot be in this event, after all the ones before. */
  apply(event: AnyEvent): string[];
}

interface Stock {
  readonly existing: Set<string>;
  readonly gone: Set<string>;
  /** Parent of each item, and of each `lot quantity`. */
  readonly parents: Map<string, string>;
  /** Pieces or litres of each lot that are left. */
  readonly lots: Map<string, number>;
}

export function createWarehouse(): Warehouse {
  const stock: Stock = {
    existing: new Set(),
    gone: new Set(),
    parents: new Map(),
    lots: new Map(),
  };
  return {
    apply: (event) => [
      ...unknownItems(stock, event),
      ...moveItems(stock, event),
      ...moveLots(stock, event),
      ...moveChildren(stock, event),
    ],
  };
}

const isBirth = (event: AnyEvent): boolean =>
  event.type === 'ObjectEvent' && event.bizStep === 'commissioning' && event.action === 'ADD';

function unknownItems(stock: Stock, event: AnyEvent): string[] {
  // A logger is the carrier's, and was there before the story.
  const children = event.type === 'AssociationEvent' ? [] : (event.childEPCs ?? []);
  const parent = event.parentID === undefined ? [] : [event.parentID];
  const items = [...(event.epcList ?? []), ...parent, ...children];
  return items.flatMap((item) => [
    ...(stock.gone.has(item) ? [`${item} is gone`] : []),
    ...(stock.existing.has(item) === isBirth(event) ? [`${item} is not yet or already`] : []),
  ]);
}

function moveItems(stock: Stock, event: AnyEvent): string[] {
  const objections: string[] = [];
  for (const item of event.type === 'ObjectEvent' ? (event.epcList ?? []) : []) {
    if (isBirth(event)) {
      stock.existing.add(item);
    } else if (event.action === 'DELETE') {
      stock.gone.add(item);
      const full = [...stock.parents.values()].includes(item);
      objections.push(...(full ? [`${item} is thrown away with its content`] : []));
    }
  }
  return objections;
}

function moveLots(stock: Stock, event: AnyEvent): string[] {
  const sold = event.bizStep === 'retail_selling' ? (event.quantityList ?? []) : [];
  const used = [...(event.inputQuantityList ?? []), ...sold];
  const made = [
    ...(event.outputQuantityList ?? []),
    ...(isBirth(event) ? (event.quantityList ?? []) : []),
  ];
  const objections = made.flatMap(({ epcClass }) =>
    stock.lots.has(epcClass) ? [`${epcClass} is made twice`] : [],
  );
  for (const { epcClass, quantity } of made) {
    stock.lots.set(epcClass, quantity);
  }
  for (const { epcClass, quantity } of quantitiesOf(event)) {
    const left = stock.lots.get(epcClass) ?? 0;
    objections.push(...(left >= quantity ? [] : [`there is less left of ${epcClass}`]));
  }
  for (const { epcClass, quantity } of used) {
    stock.lots.set(epcClass, (stock.lots.get(epcClass) ?? 0) - quantity);
  }
  return objections;
}

function moveChildren(stock: Stock, event: AnyEvent): string[] {
  const { parentID: parent, childEPCs = [], childQuantityList = [], action } = event;
  const lots = childQuantityList.map(
    ({ epcClass, quantity }) => `${parent} ${epcClass} ${quantity}`,
  );
  return (parent === undefined ? [] : [...childEPCs, ...lots]).flatMap((child) => {
    const before = stock.parents.get(child);
    if (action === 'ADD') {
      stock.parents.set(child, parent ?? '');
      return before === undefined ? [] : [`${child} lies in ${before} already`];
    }
    stock.parents.delete(child);
    return before === parent ? [] : [`${child} does not lie in ${parent}`];
  });
}
