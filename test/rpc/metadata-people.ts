import type { MessageInitShape } from '@bufbuild/protobuf';
import { createClient, type Transport } from '@connectrpc/connect';
import type { GrantSchema } from '../../gen/runmachine/identity/v1/grant_pb.ts';
import { TokenService } from '../../gen/runmachine/identity/v1/token_service_pb.ts';
import { UserService } from '../../gen/runmachine/identity/v1/user_service_pb.ts';
import { type MetadataFixture, newId } from './metadata-fixture.ts';

export type GrantInit = MessageInitShape<typeof GrantSchema>;

/** Makes a user with a role and gives his way in. */
export const makeUser = async (
  fixture: MetadataFixture,
  userId: string,
  ...grants: readonly GrantInit[]
): Promise<Transport> => {
  const users = createClient(UserService, fixture.admin);
  await users.createUser({ userId, user: {}, requestId: newId() });
  for (const grant of grants) await users.grantRole({ name: `users/${userId}`, grant });
  return fixture.asPerson(await makeToken(fixture.admin, userId));
};

/** A bearer token of that user with everything that he holds, or with less. */
export const makeToken = async (
  transport: Transport,
  userId: string,
  grants: GrantInit[] = [],
): Promise<string> => {
  const { secret } = await createClient(TokenService, transport).createToken({
    tokenId: `t-${newId().slice(0, 8)}`,
    token: { spec: { user: userId === '' ? '' : `users/${userId}`, grants } },
    requestId: newId(),
  });
  return secret;
};
