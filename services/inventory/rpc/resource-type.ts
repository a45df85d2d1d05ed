import { create } from '@bufbuild/protobuf';
import {
  type ResourceType as ProtoResourceType,
  ResourceTypeSchema,
} from '../../../gen/runmachine/inventory/v1/resource_type_pb.ts';
import { ResourceTypeService } from '../../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { closePage } from '../../store/sql/page.ts';
import { RESOURCE_TYPES, type ResourceType } from '../domain/resource-types.ts';
import { absent, lastOf, pageOf, type RpcDeps } from './deps.ts';

const toProto = ({ code, unit, description }: ResourceType): ProtoResourceType =>
  create(ResourceTypeSchema, { name: `resourceTypes/${code}`, unit, description });

export const resourceTypeRpc = (deps: RpcDeps): Implementation =>
  implement(ResourceTypeService, {
    getResourceType: async ({ name }, context) => {
      const found = RESOURCE_TYPES.find((type) => type.code === lastOf(name).toLowerCase());
      if (!found || accessOf(context).nowhere) throw absent(name);
      return { resourceType: toProto(found) };
    },
    listResourceTypes: async (request, context) => {
      const page = pageOf(deps, request, 'resourceTypes');
      const after = page.after?.[0];
      const behind = RESOURCE_TYPES.filter(
        (type) => !accessOf(context).nowhere && (after === undefined || type.code > String(after)),
      ).slice(0, page.limit);
      const { rows, nextPageToken } = closePage(page, behind, (type) => [type.code]);
      return { resourceTypes: rows.map(toProto), nextPageToken };
    },
  });
