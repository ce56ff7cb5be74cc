/** Made-up raw records: rows of a shipment history, and EPCIS events. */

/** The columns that the preset knows; what stands in them is of the kinds that real exports have. */
const COLUMNS =
  'id,project code,pq #,po / so #,asn/dn #,country,managed by,fulfill via,vendor inco term,' +
  'shipment mode,pq first sent to client date,po sent to vendor date,scheduled delivery date,' +
  'delivered to client date,delivery recorded date,product group,sub classification,vendor,' +
  'item description,molecule/test type,brand,dosage,dosage form,unit of measure (per pack),' +
  'line item quantity,line item value,pack price,unit price,manufacturing site,' +
  'first line designation,weight (kilograms),freight cost (usd),line item insurance (usd)';

const MODES = ['Air', 'Truck', 'Ocean', 'Air Charter'];
const COUNTRIES = ['Aland', 'Borduria', 'Freedonia', 'Ruritania', 'Syldavia'];

const two = (value: number): string => String(value).padStart(2, '0');

/** The two styles of dates that such exports have, of one year. */
const slashed = (n: number, month: number): string =>
  `${month}/${(n % 27) + 1}/20${two(10 + (n % 5))}`;
const named = (n: number, month: string): string => `${(n % 27) + 1}-${month}-${two(10 + (n % 5))}`;

/** A row behind the line that names its columns, as `shuttle load` produces it. */
export function makeRow(n: number): Buffer {
  const quantity = 10 + (n % 900);
  const price = 1 + (n % 97) / 4;
  const cells = [
    String(n),
    `${100 + (n % 40)}-XX-T${n % 7}`,
    'Pre-PQ Process',
    `SCMS-${n % 60_000}`,
    `ASN-${n}`,
    COUNTRIES[n % COUNTRIES.length],
    'PMO - US',
    n % 3 === 0 ? 'From RDC' : 'Direct Drop',
    'EXW',
    MODES[n % MODES.length],
    n % 4 === 0 ? 'Pre-PQ Process' : slashed(n, 1),
    n % 5 === 0 ? 'Date Not Captured' : slashed(n, 3),
    named(n, 'Jun'),
    named(n, 'Jun'),
    named(n, 'Sep'),
    'HRDT',
    'HIV test',
    `"Works ${n % 30}, Ltd."`,
    `"Test kit, rapid, pack of ${10 + (n % 3) * 10}"`,
    'Rapid test',
    'Generic',
    '',
    'Test kit',
    String(10 + (n % 3) * 10),
    String(quantity),
    (quantity * price).toFixed(2),
    price.toFixed(2),
    (price / 10).toFixed(2),
    `"Works ${n % 30}, Hall B"`,
    n % 2 === 0 ? 'TRUE' : 'FALSE',
    n % 6 === 0 ? 'Weight Captured Separately' : String(5 + (n % 500)),
    n % 6 === 0 ? 'Freight Included in Commodity Cost' : (50 + (n % 700) / 3).toFixed(2),
    ((n % 800) / 7).toFixed(2),
  ];
  return Buffer.from(`${COLUMNS}\n${cells.join(',')}\n`);
}

const EPOCH_MS = Date.UTC(2026, 0, 1);

/** A bare event with identifiers in the spelling of readers, which the preset makes one of. */
export function makeEvent(n: number): Buffer {
  const serial = (offset: number): string => `urn:epc:id:sgtin:9506000.013435.${n * 8 + offset}`;
  const isPacked = n % 3 === 0;
  return Buffer.from(
    JSON.stringify({
      type: isPacked ? 'AggregationEvent' : 'ObjectEvent',
      eventID: `urn:uuid:00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
      eventTime: new Date(EPOCH_MS + n * 1_000).toISOString().replace('Z', '+00:00'),
      eventTimeZoneOffset: '+00:00',
      action: isPacked ? 'ADD' : 'OBSERVE',
      bizStep: isPacked ? 'packing' : 'shipping',
      disposition: 'in_transit',
      readPoint: { id: `urn:epc:id:sgln:9506000.${String(n % 900).padStart(5, '0')}.0` },
      ...(isPacked
        ? {
            parentID: `urn:epc:id:sscc:9506000.${String(n % 1e9).padStart(10, '0')}`,
            childEPCs: [0, 1, 2, 3].map(serial),
          }
        : { epcList: [0, 1, 2, 3].map(serial) }),
    }),
  );
}
