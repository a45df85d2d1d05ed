/** What the service asks and answers, before HTTP and after it. */
export type Json = Readonly<Record<string, unknown>>;

export type LabRequest = {
  readonly method: string;
  /** Without query and without a slash at its end. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined = none was sent. */
  readonly body: unknown;
};

export type LabReply = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as XML ($metadata). */
  readonly body?: Json | string;
  /** The body as it is sent, where it was written out already. */
  readonly json?: string;
  /**
   * An answer that goes on (text/event-stream) until the function that it answers is called;
   * undefined = there is no room for another.
   */
  readonly stream?: (to: StreamTo) => (() => void) | undefined;
};

export type StreamTo = {
  /** Address and port of who listens. */
  readonly from: string;
  readonly send: (text: string) => void;
  readonly end: () => void;
};

export const link = (path: string): Json => ({ '@odata.id': path });

export const links = (paths: readonly string[]): readonly Json[] => paths.map(link);

/** Messages of the DMTF's Base registry that this service uses, in our own words. */
const MESSAGES = {
  Success: ['OK', 'The request was carried out.', 'None.'],
  AccessDenied: ['Critical', 'The user may not do this here.', 'Use an account that may.'],
  ActionNotSupported: ['Critical', 'This action is not offered here.', 'Use one of Actions.'],
  ActionParameterMissing: [
    ...(['Critical', 'The action needs a parameter that was not sent.'] as const),
    'Send it.',
  ],
  ActionParameterValueNotInList: [
    ...(['Warning', 'The value of the action parameter is not one of those allowed.'] as const),
    'Use one of the allowable values.',
  ],
  InsufficientPrivilege: [
    ...(['Critical', 'The account lacks the privilege that this needs.'] as const),
    'Use an account that has it.',
  ],
  InternalError: ['Critical', 'The service failed.', 'Try again.'],
  MalformedJSON: ['Critical', 'The body is not valid JSON.', 'Send JSON.'],
  NoOperation: ['Warning', 'Nothing is asked to be changed.', 'Send what is to be changed.'],
  NoValidSession: ['Critical', 'There is no valid session.', 'Sign in first.'],
  PreconditionFailed: [
    ...(['Critical', 'The resource was changed since it was read.'] as const),
    'Read it again.',
  ],
  PreconditionRequired: [
    ...(['Critical', 'The request needs an If-Match header.'] as const),
    'Send the ETag of the resource.',
  ],
  PropertyMissing: ['Warning', 'A property that is required was not sent.', 'Send it.'],
  PropertyNotWritable: ['Warning', 'A property cannot be written.', 'Leave it out.'],
  PropertyUnknown: ['Warning', 'The resource has no such property.', 'Leave it out.'],
  PropertyValueNotInList: [
    ...(['Warning', 'The value of a property is not one of those allowed.'] as const),
    'Use one of the allowable values.',
  ],
  PropertyValueTypeError: [
    ...(['Warning', 'The value of a property is of another type than it must be.'] as const),
    'Send one of the right type.',
  ],
  QueryNotSupported: ['Warning', 'The query parameter is not offered.', 'Leave it out.'],
  QueryParameterValueFormatError: [
    ...(['Warning', 'The value of a query parameter is not of its form.'] as const),
    'Send it as it is specified.',
  ],
  QueryNotSupportedOnResource: [
    ...(['Warning', 'The query parameter is for collections.'] as const),
    'Leave it out.',
  ],
  QueryParameterValueTypeError: [
    ...(['Warning', 'The value of a query parameter is of another type.'] as const),
    'Send one of the right type.',
  ],
  ResourceAlreadyExists: ['Critical', 'There is such a resource already.', 'Use another name.'],
  ResourceAtUriUnauthorized: ['Critical', 'User or password is wrong.', 'Sign in properly.'],
  ResourceInStandby: ['Critical', 'The resource is off.', 'Power it on first.'],
  ResourceMissingAtURI: ['Critical', 'There is no resource at this URI.', 'Follow links.'],
  ServiceTemporarilyUnavailable: ['Critical', 'The service is busy.', 'Try again later.'],
  SessionLimitExceeded: ['Critical', 'All sessions are taken.', 'End one of them.'],
  CreateLimitReachedForResource: ['Critical', 'There is no room for another.', 'Remove one.'],
} as const satisfies Readonly<Record<string, readonly [string, string, string]>>;

export type MessageName = keyof typeof MESSAGES;

export const REGISTRY = 'Base.1.13';

export const REGISTRY_VERSION = `${REGISTRY.split('.').slice(1).join('.')}.0`;

/** What the registry file says of each; %1 is what was wrong this time. */
export const registryMessages = (): Json =>
  Object.fromEntries(
    Object.entries(MESSAGES).map(([name, [severity, text, cure]]) => [
      name,
      {
        Description: text,
        Message: `${text} %1`,
        Severity: severity,
        MessageSeverity: severity,
        NumberOfArgs: 1,
        ParamTypes: ['string'],
        Resolution: cure,
      },
    ]),
  );

/** One entry of @Message.ExtendedInfo. */
export const messageOf = (name: MessageName, detail = '', about = ''): Json => {
  const [severity, text, cure] = MESSAGES[name];
  return {
    '@odata.type': '#Message.v1_1_2.Message',
    MessageId: `${REGISTRY}.${name}`,
    Message: detail === '' ? text : `${text} ${detail}`,
    MessageArgs: detail === '' ? [] : [detail],
    ...(about === '' ? {} : { RelatedProperties: [`#/${about}`] }),
    MessageSeverity: severity,
    Severity: severity,
    Resolution: cure,
  };
};

/** An error answer (DSP0266, error responses). */
export const refuse = (
  status: number,
  name: MessageName,
  { detail = '', about = '', headers = {} }: Refusal = {},
): LabReply => {
  const info = messageOf(name, detail, about);
  const error = { code: info.MessageId, message: info.Message, '@Message.ExtendedInfo': [info] };
  return { status, headers, body: { error } };
};

export type Refusal = {
  readonly detail?: string;
  /** The property that it is about. */
  readonly about?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export const ok = (body: Json): LabReply => ({ status: 200, body });
export const noContent: LabReply = { status: 204 };
