/**
 * Which providers are at which management controllers. That two do not mean the same system there
 * the unique index of identifiers decides; that one without a system is alone there is looked up,
 * after it was written: two that come in the same instant do not see each other.
 */
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import { controllerKey } from '../domain/controller-address.ts';
import type { Holder, Identifier } from '../domain/identifiers.ts';
import { keyOf } from '../domain/records.ts';
import { chunksOf } from './chunks.ts';
import { type Claimed, claimIdentifiers, holdersOf, type Refused } from './provider-identifiers.ts';
import { db } from './rows.ts';

type Declared = Claimed & { readonly isNew: boolean };

/** Gives providers what their records say; answers what others have. See claimIdentifiers. */
export const claimDeclared = async (
  tx: Tx,
  claims: readonly Declared[],
): Promise<readonly Refused[]> => {
  const refused = await claimIdentifiers(tx, 'declared', claims);
  return refused.length > 0 ? refused : await besideOthers(tx, claims);
};

/** Those that mean a controller's only system where others name theirs, and the other way round. */
const besideOthers = async (tx: Tx, claims: readonly Declared[]): Promise<readonly Refused[]> => {
  const partition = claims[0]?.record.partition;
  if (partition === undefined) return [];
  const uids = new Set(claims.map(({ record }) => record.uid));
  const places = claims.flatMap(({ identifiers }) => identifiers.flatMap(placeOf));
  const named = places.filter(({ isWhole }) => !isWhole).map(({ controller }) => controller);
  const whole = places.filter(({ isWhole }) => isWhole).map(({ controller }) => controller);
  const wholes = await wholesOf(tx, partition, named);
  const chassis = await chassisOf(tx, partition, whole);
  return claims.flatMap(({ record, identifiers }) => {
    const taken = identifiers.flatMap((identifier) =>
      placeOf(identifier).flatMap(({ controller, isWhole }) => {
        const holder = (isWhole ? chassis : wholes).get(controller);
        // Of two that are written together only the one that names a system is refused.
        const isOther = holder !== undefined && !(isWhole && uids.has(holder.uid));
        return isOther ? [{ identifier, holder }] : [];
      }),
    );
    return taken.length === 0 ? [] : [{ record, taken }];
  });
};

type Place = { readonly controller: string; readonly isWhole: boolean };

const BMC = controllerKey({ controller: '', system: '' });

const placeOf = ({ key }: Identifier): readonly Place[] => {
  if (!key.startsWith(BMC)) return [];
  const place = key.slice(BMC.length);
  const at = place.indexOf('/');
  return [{ controller: at < 0 ? place : place.slice(0, at), isWhole: at < 0 }];
};

type Holders = ReadonlyMap<string, Holder>;

/** Who has these controllers as a whole. */
const wholesOf = async (
  reader: Reader | Tx,
  partition: string,
  controllers: readonly string[],
): Promise<Holders> => {
  const keys = controllers.map((controller) => controllerKey({ controller, system: '' }));
  const holders = await holdersOf(reader, partition, keys);
  return new Map([...holders].map(([key, holder]) => [key.slice(BMC.length), holder]));
};

/** Who names a system at these controllers; of several any. */
const chassisOf = async (
  reader: Reader | Tx,
  partition: string,
  controllers: readonly string[],
): Promise<Holders> => {
  const found = new Map<string, Holder>();
  for (const chunk of chunksOf([...new Set(controllers)], 1)) {
    const rows = await db(reader)
      .selectFrom('provider_term')
      .innerJoin('provider', 'provider.uid', 'provider_term.provider_uid')
      .select(['term', 'provider.uid', 'provider.name_id', 'provider.partition_id'])
      .where('kind', '=', 'chassis')
      .where('term', 'in', [...chunk])
      .where('provider_term.partition_key', '=', keyOf(partition))
      .execute();
    for (const { term, uid, name_id, partition_id } of rows) {
      found.set(term, { uid, id: name_id, partition: partition_id });
    }
  }
  return found;
};

export const atControllers = async (
  reader: Reader | Tx,
  partition: string,
  controllers: readonly string[],
): Promise<Holders> =>
  new Map([
    ...(await chassisOf(reader, partition, controllers)),
    ...(await wholesOf(reader, partition, controllers)),
  ]);
