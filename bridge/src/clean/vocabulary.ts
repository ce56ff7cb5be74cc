/**
 * The words of the Core Business Vocabulary to one form: the bare word, as EPCIS 2.0 has it in
 * JSON-LD. Source: GS1 Core Business Vocabulary 2.0, section 7 (7.1 business steps, 7.2
 * dispositions, 7.3 business transaction types, 7.4 sources and destinations, 7.5 error reasons,
 * then the sensor vocabularies), and UN/CEFACT Recommendation 20 for units.
 */
import { IDENTIFIER_LENGTH_MAX } from '../limits.ts';
import { similarName } from '../similar.ts';
import { clipped } from './gs1-keys.ts';

interface Vocabulary {
  /** For sentences, with its article. */
  readonly title: string;
  /** What stands before the word in a URI, each spelling that is in use. */
  readonly stems: readonly string[];
  readonly words: ReadonlySet<string>;
}

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

const cbv = (urn: string, web: string): string[] => [
  `urn:epcglobal:cbv:${urn}:`,
  `https://ref.gs1.org/cbv/${web}-`,
  `http://ref.gs1.org/cbv/${web}-`,
  `cbv:${web}-`,
];

const GS1_VOC = [
  'https://gs1.org/voc/',
  'https://www.gs1.org/voc/',
  'http://gs1.org/voc/',
  'https://ref.gs1.org/voc/',
  'gs1:',
];

const VOCABULARIES = {
  bizStep: {
    title: 'a business step',
    stems: cbv('bizstep', 'BizStep'),
    words: words(`
      accepting arriving assembling collecting commissioning consigning creating_class_instance
      cycle_counting decommissioning departing destroying disassembling dispensing encoding
      entering_exiting holding inspecting installing killing loading other packing picking
      receiving removing repackaging repairing replacing reserving retail_selling sampling
      sensor_reporting shipping staging_outbound stock_taking stocking storing transporting
      unloading unpacking void_shipping`),
  },
  disposition: {
    title: 'a disposition',
    stems: cbv('disp', 'Disp'),
    words: words(`
      active available completeness_inferred completeness_verified conformant container_closed
      container_open damaged destroyed dispensed disposed encoded expired in_progress in_transit
      inactive mismatch_class mismatch_instance mismatch_quantity needs_replacement
      no_pedigree_match non_conformant non_sellable_other partially_dispensed recalled reserved
      retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown`),
  },
  bizTransactionType: {
    title: 'a business transaction type',
    stems: cbv('btt', 'BTT'),
    words: words('bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt'),
  },
  sourceDestinationType: {
    title: 'a source or destination type',
    stems: cbv('sdt', 'SDT'),
    words: words('owning_party possessing_party location'),
  },
  errorReason: {
    title: 'an error reason',
    stems: cbv('er', 'ER'),
    words: words('did_not_occur incorrect_data'),
  },
  measurementType: {
    title: 'a measurement type',
    stems: GS1_VOC,
    words: words(`
      AbsoluteHumidity AbsorbedDose AbsorbedDoseRate Acceleration Altitude AmountOfSubstance
      AmountOfSubstancePerUnitVolume Angle AngularAcceleration AngularMomentum AngularVelocity
      Area Capacitance Conductance Conductivity Count Density Dimensionless DoseEquivalent
      DoseEquivalentRate DynamicViscosity EffectiveDose EffectiveDoseRate ElectricCharge
      ElectricCurrent ElectricCurrentDensity ElectricFieldStrength Energy Exposure Force Frequency
      Illuminance Inductance Irradiance KinematicViscosity Length LinearMomentum Luminance
      LuminousFlux LuminousIntensity MagneticFlux MagneticFluxDensity MagneticVectorPotential Mass
      MassConcentration MassFlowRate MassPerAreaTime MemoryCapacity MolalityOfSolute MolarEnergy
      MolarMass MolarVolume Power Pressure RadiantFlux RadiantIntensity Radioactivity
      RelativeHumidity Resistance Resistivity SolidAngle SpecificVolume Speed SurfaceDensity
      SurfaceTension Temperature Time Torque Voltage Volume VolumeFlowRate VolumeFraction
      VolumetricFlux Wavenumber`),
  },
  alertType: {
    title: 'a sensor alert type',
    stems: GS1_VOC,
    words: words('ALARM_CONDITION ERROR_CONDITION'),
  },
  component: {
    title: 'a component of a measurement',
    stems: cbv('comp', 'Comp'),
    words: words(`
      x y z axial_distance azimuth height spherical_radius polar_angle elevation_angle easting
      northing latitude longitude altitude`),
  },
} as const satisfies Record<string, Vocabulary>;

export type VocabularyName = keyof typeof VOCABULARIES;

export const VOCABULARY_NAMES = Object.keys(VOCABULARIES) as readonly VocabularyName[];

export type Term =
  /** A word of the vocabulary. */
  | { readonly kind: 'known'; readonly term: string }
  /** A URI or a prefixed name of somebody's own vocabulary, as it came. */
  | { readonly kind: 'other'; readonly term: string }
  | { readonly kind: 'refused'; readonly code: 'UNKNOWN_TERM'; readonly reason: string };

const A_URI = /^[a-z][a-z0-9+.-]*:\S+$/i;

/**
 * The bare word for a term in any spelling. A word that the vocabulary does not have is refused,
 * bare or in GS1's own name; URIs of others pass through unchanged. Never throws.
 */
export function canonicalTerm(vocabulary: VocabularyName, text: string): Term {
  const { title, stems, words: known }: Vocabulary = VOCABULARIES[vocabulary];
  const trimmed = text.trim();
  const stem = stems.find((each) => trimmed.startsWith(each));
  const word = trimmed.slice(stem?.length ?? 0);
  if (known.has(word)) {
    return { kind: 'known', term: word };
  }
  if (stem !== undefined) {
    return unknownTerm(vocabulary, word);
  }
  const owner = ownerOf(trimmed);
  if (owner !== undefined) {
    return refusedTerm(`"${clipped(trimmed)}" is ${VOCABULARIES[owner].title}, not ${title}.`);
  }
  const uri = trimmed.length <= IDENTIFIER_LENGTH_MAX && A_URI.test(trimmed);
  return uri ? { kind: 'other', term: text } : unknownTerm(vocabulary, trimmed);
}

/** The words of a vocabulary, for schemas and explanations. */
export function termsOf(vocabulary: VocabularyName): readonly string[] {
  return [...VOCABULARIES[vocabulary].words];
}

/** Which vocabulary of CBV a URI says it is of. */
function ownerOf(text: string): VocabularyName | undefined {
  return VOCABULARY_NAMES.find(
    (name) =>
      VOCABULARIES[name].stems !== GS1_VOC &&
      VOCABULARIES[name].stems.some((stem) => text.startsWith(stem)),
  );
}

function unknownTerm(vocabulary: VocabularyName, word: string): Term {
  const { title, words: known } = VOCABULARIES[vocabulary];
  const near = similarName(word.replaceAll(' ', '_'), known);
  const advice = near === undefined ? '' : ` Did you mean "${near}"?`;
  return refusedTerm(`"${clipped(word)}" is not ${title} of the standard vocabulary.${advice}`);
}

function refusedTerm(reason: string): Term {
  return { kind: 'refused', code: 'UNKNOWN_TERM', reason };
}

const UNIT_CODE = /^[A-Z0-9]{2,3}$/;

/** What people write for the commonest units, and the code of Recommendation 20 for it. */
const UNIT_CODES: ReadonlyMap<string, string> = new Map([
  ['kg', 'KGM'],
  ['g', 'GRM'],
  ['t', 'TNE'],
  ['lb', 'LBR'],
  ['l', 'LTR'],
  ['ml', 'MLT'],
  ['m', 'MTR'],
  ['cm', 'CMT'],
  ['mm', 'MMT'],
  ['m2', 'MTK'],
  ['m3', 'MTQ'],
  ['°c', 'CEL'],
  ['c', 'CEL'],
  ['°f', 'FAH'],
  ['%', 'P1'],
  ['km/h', 'KMH'],
  ['h', 'HUR'],
  ['pcs', 'H87'],
  ['piece', 'H87'],
]);

/** A unit by its code of UN/CEFACT Recommendation 20, of which only the form is checked. */
export function canonicalUnit(text: string): Term {
  const trimmed = text.trim();
  if (UNIT_CODE.test(trimmed)) {
    return { kind: 'known', term: trimmed };
  }
  const near = UNIT_CODES.get(trimmed.toLowerCase());
  const advice = near === undefined ? '' : ` Did you mean "${near}"?`;
  return refusedTerm(`"${clipped(trimmed)}" is not a unit code of Recommendation 20.${advice}`);
}
