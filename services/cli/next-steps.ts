/** What to type after a server refused, where the error alone says it. */
import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import { lastSegment } from './resource-names.ts';

type Metadata = Readonly<Record<string, string>>;

export const nextSteps = (error: ConnectError, endpoint: string): readonly string[] => {
  const { reason, metadata = {} } = error.findDetails(ErrorInfoSchema)[0] ?? {};
  const known = reason === undefined ? undefined : BY_REASON[reason];
  if (known !== undefined) return known(metadata);
  switch (error.code) {
    case Code.Unauthenticated:
      return ['check the token of your profile (`runm profile list`)'];
    case Code.PermissionDenied:
      return ['`runm whoami` shows your roles; whoever administers gives others: runm user grant'];
    case Code.NotFound:
      return whereToLook(nameOf(error, metadata));
    case Code.AlreadyExists:
      return whatIsThere(metadata.holder ?? nameOf(error, metadata));
    case Code.Unavailable:
      return reason === undefined
        ? [`is runmachine running at ${endpoint}? Start it with \`npm start\``]
        : ['try it again in a moment; `runm status` says what does not answer'];
    case Code.DeadlineExceeded:
      return ['it may have been done all the same: look first, then try it again'];
    default:
      return [];
  }
};

const BY_REASON: Readonly<Record<string, (metadata: Metadata) => readonly string[]>> = {
  ETAG_MISMATCH: () => ['read it again, then retry'],
  BUSY: () => ['read it again, then retry'],
  QUOTA_EXCEEDED: (metadata) => quotaOf(metadata),
  CLAIM_TOO_LONG: (metadata) => quotaOf(metadata),
  CANDIDATE_STALE: () => ['list the candidates again, or leave --candidate out'],
  NOT_EXTENDABLE: () => ['runm claim calendar'],
  NO_CAPACITY: () => ['runm claim explain, runm claim windows and runm claim calendar say more'],
  NO_AGENT: () => ['runm agent list; then try it again'],
  UNKNOWN_GROUP: () => ['runm group list'],
  NEVER_PROVISION: ({ name = 'NAME' }) => [
    `runm provider update ${lastSegment(name)} --never-provision no, if it is for use after all`,
  ],
  HELD_BY_TENANT: () => ['the same with --force --reason "why", once whoever works there knows'],
};

const quotaOf = ({ project = '' }: Metadata): readonly string[] => [
  `runm quota get ${lastSegment(project)}`.trimEnd(),
];

/** Nouns of what names are made of. */
const NOUNS: Readonly<Record<string, string>> = {
  agents: 'agent',
  capabilities: 'capability',
  certificates: 'cert',
  claims: 'claim',
  discoveries: 'discovery',
  groups: 'group',
  images: 'image',
  machines: 'machine',
  operations: 'operation',
  partitions: 'partition',
  projects: 'project',
  providers: 'provider',
  secrets: 'secret',
  tokens: 'token',
  users: 'user',
};

const nameOf = (error: ConnectError, metadata: Metadata): string =>
  metadata.name ?? /"([^"\s]+\/[^"\s]+)"/.exec(error.rawMessage)?.[1] ?? '';

/** Noun and id of the last part of a name that has a noun: "…/providers/r1u1/state". */
const partOf = (name: string): { noun: string; id: string } | undefined => {
  const segments = name.split('/');
  for (let at = segments.length - 2; at >= 0; at -= 1) {
    const noun = NOUNS[segments[at] ?? ''];
    if (noun !== undefined) return { noun, id: segments[at + 1] ?? '' };
  }
  return undefined;
};

const HIDDEN = '`runm whoami` shows your roles; what is below a partition is for its operators';

const whereToLook = (name: string): readonly string[] => {
  const part = partOf(name);
  if (part === undefined) return [];
  // What lies right below a partition is hidden from tenants as if the partition were not there.
  if (part.noun === 'partition') {
    return [HIDDEN];
  }
  if (part.noun === 'project') {
    return ['runm project list; then --project ID, RUNM_PROJECT or runm profile set'];
  }
  const where = /^(?:partitions\/[^/]+\/)?projects\/([^/]+)\/./.exec(name)?.[1];
  return [`runm ${part.noun} list${where ? `, or another --project than ${where}` : ''}`];
};

const whatIsThere = (name: string): readonly string[] => {
  const part = partOf(name);
  return part === undefined ? [] : [`runm ${part.noun} get ${part.id}`];
};
