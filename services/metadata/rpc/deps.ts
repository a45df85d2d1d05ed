import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Authority } from '../authority/authority.ts';
import type { AnswerSealer } from '../authority/sealed-answer.ts';
import type { SecretSealer } from '../authority/sealed-secret.ts';
import type { MetadataRecords, OwnerQuestions, RevocationNotices } from '../ports.ts';

/** What the handlers of this service share. */
export type RpcDeps = {
  readonly store: SqlStore;
  readonly records: MetadataRecords;
  readonly authority: Authority;
  readonly sealer: AnswerSealer;
  readonly secretSealer: SecretSealer;
  readonly questions: OwnerQuestions;
  readonly notices: RevocationNotices;
  /** Notes that a token was used now; written down later, many at once. */
  readonly noteTokenUse: (uid: string) => void;
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};
