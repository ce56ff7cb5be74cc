/**
 * The companies and places of the story. All of them are made up; their company prefixes begin with
 * 952, which GS1 keeps for demonstrations.
 */
import { createNaming, type Form, type Naming } from './gs1.ts';

export type Role = 'farm' | 'dairy' | 'distribution centre' | 'shop' | 'market stand';

export interface Company {
  readonly name: string;
  readonly naming: Naming;
  /** The company as a party. */
  readonly party: string;
}

export interface Site {
  readonly role: Role;
  readonly name: string;
  readonly locality: string;
  readonly company: Company;
  /** What events call it: an SGLN. */
  readonly id: string;
  /** Degrees north and east. */
  readonly latitude: number;
  readonly longitude: number;
}

function company(name: string, prefix: string, form: Form): Company {
  const naming = createNaming(prefix, form);
  return { name, naming, party: naming.pgln('00000') };
}

const cooperative = company('Cooperativa La Niebla', '9521100', 'link');
// One dairy still speaks in EPC URNs, the other companies in GS1 Digital Links.
const cumbre = company('Lácteos Cumbre', '9522100', 'link');
const ribera = company('Lácteos Ribera', '9522200', 'urn');
const grocer = company('Mercados Vecinos', '9524100', 'link');

/** Moves the goods, and owns the temperature loggers. */
export const CARRIER = company('Frío en Ruta', '9523100', 'link');

function site(
  role: Role,
  owner: Company,
  location: number,
  place: readonly [name: string, locality: string, latitude: number, longitude: number],
): Site {
  const [name, locality, latitude, longitude] = place;
  const id = owner.naming.sgln(String(location).padStart(5, '0'));
  return { role, name, locality, company: owner, id, latitude, longitude };
}

export const FARMS: readonly Site[] = [
  site('farm', cooperative, 1, ['El Mirador', 'Ubaté', 5.31, -73.81]),
  site('farm', cooperative, 2, ['La Esperanza', 'Zipaquirá', 5.02, -74.0]),
  site('farm', cooperative, 3, ['Tres Arroyos', 'Chiquinquirá', 5.62, -73.82]),
  site('farm', cooperative, 4, ['Monte Claro', 'Simijaca', 5.5, -73.85]),
  site('farm', cooperative, 5, ['Buenavista', 'Sopó', 4.91, -73.94]),
];

export const DAIRIES: readonly Site[] = [
  site('dairy', cumbre, 10, ['Planta Cumbre', 'Chía', 4.86, -74.06]),
  site('dairy', ribera, 10, ['Planta Ribera', 'Tunja', 5.54, -73.36]),
];

export const CENTRE: Site = site('distribution centre', grocer, 20, [
  'Centro de Distribución Sur',
  'Bogotá',
  4.61,
  -74.15,
]);

export const SHOPS: readonly Site[] = [
  site('shop', grocer, 31, ['Vecinos Chapinero', 'Bogotá', 4.65, -74.06]),
  site('shop', grocer, 32, ['Vecinos Usaquén', 'Bogotá', 4.7, -74.03]),
  site('shop', grocer, 33, ['Vecinos Teusaquillo', 'Bogotá', 4.64, -74.09]),
  site('shop', grocer, 34, ['Vecinos Soacha', 'Soacha', 4.58, -74.22]),
  site('shop', grocer, 35, ['Vecinos Fusa', 'Fusagasugá', 4.34, -74.36]),
  site('shop', grocer, 36, ['Vecinos Girardot', 'Girardot', 4.3, -74.8]),
];

/** Planned, inspected and given up: its document is deleted at the end of the story. */
export const STAND: Site = site('market stand', grocer, 40, [
  'Puesto Plaza Mayor',
  'Bogotá',
  4.6,
  -74.08,
]);

export const SITES: readonly Site[] = [...FARMS, ...DAIRIES, CENTRE, ...SHOPS, STAND];
