import type { DescService } from '@bufbuild/protobuf';
import { AgentDirectoryService } from '../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentService } from '../gen/runmachine/agent/v1/agent_service_pb.ts';
import { OrderService } from '../gen/runmachine/agent/v1/order_service_pb.ts';
import { CertificateService } from '../gen/runmachine/identity/v1/certificate_service_pb.ts';
import { DefinitionService } from '../gen/runmachine/identity/v1/definition_service_pb.ts';
import { IdentityService } from '../gen/runmachine/identity/v1/identity_service_pb.ts';
import { ProjectService } from '../gen/runmachine/identity/v1/project_service_pb.ts';
import { RoleService } from '../gen/runmachine/identity/v1/role_service_pb.ts';
import { SecretService } from '../gen/runmachine/identity/v1/secret_service_pb.ts';
import { TokenService } from '../gen/runmachine/identity/v1/token_service_pb.ts';
import { TrustService } from '../gen/runmachine/identity/v1/trust_service_pb.ts';
import { UserService } from '../gen/runmachine/identity/v1/user_service_pb.ts';
import { CapabilityService } from '../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { DiscoveryService } from '../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import { DistanceTypeService } from '../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { PartitionService } from '../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderGroupService } from '../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { ProviderService } from '../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeService } from '../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { ConsoleService } from '../gen/runmachine/machine/v1/console_service_pb.ts';
import { EventService } from '../gen/runmachine/machine/v1/event_service_pb.ts';
import { ImageService } from '../gen/runmachine/machine/v1/image_service_pb.ts';
import { MachineService } from '../gen/runmachine/machine/v1/machine_service_pb.ts';
import { OperationService } from '../gen/runmachine/machine/v1/operation_service_pb.ts';
import { ProviderConsoleService } from '../gen/runmachine/machine/v1/provider_console_service_pb.ts';
import { ProviderHardwareService } from '../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { ProviderStateService } from '../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import { CapacityService } from '../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { ClaimService } from '../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { QuotaService } from '../gen/runmachine/scheduler/v1/quota_service_pb.ts';
import type { Area } from './runtime/service.ts';

/** Names of the services that a process can run, in the order in which they start. */
export const SERVICE_NAMES = ['metadata', 'inventory', 'scheduler', 'machine'] as const;
export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Which service serves an area of the contract. */
export const SERVICE_OF_AREA: Readonly<Record<Area, ServiceName>> = {
  identity: 'metadata',
  inventory: 'inventory',
  scheduler: 'scheduler',
  machine: 'machine',
};

/**
 * The whole public contract. Every process lists all of it by reflection and answers for all of it;
 * what does not run there is UNAVAILABLE.
 */
export const PUBLIC_SERVICES: readonly DescService[] = [
  IdentityService,
  ProjectService,
  UserService,
  RoleService,
  TokenService,
  CertificateService,
  TrustService,
  DefinitionService,
  SecretService,
  PartitionService,
  ProviderService,
  ProviderGroupService,
  DiscoveryService,
  DistanceTypeService,
  CapabilityService,
  ResourceTypeService,
  ClaimService,
  CapacityService,
  QuotaService,
  MachineService,
  ConsoleService,
  ImageService,
  OperationService,
  EventService,
  ProviderStateService,
  ProviderHardwareService,
  ProviderConsoleService,
  AgentService,
  AgentDirectoryService,
  OrderService,
];
