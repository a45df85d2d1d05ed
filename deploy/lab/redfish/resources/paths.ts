/** Where the resources of this service are; its clients find them by links only. */
export const ROOT = '/redfish/v1';
export const SYSTEM = `${ROOT}/Systems/1`;
export const CHASSIS = `${ROOT}/Chassis/1`;
export const MANAGER = `${ROOT}/Managers/bmc`;
export const SESSIONS = `${ROOT}/SessionService/Sessions`;
export const ACCOUNTS = `${ROOT}/AccountService/Accounts`;
export const ROLES = `${ROOT}/AccountService/Roles`;
export const FIRMWARE = `${ROOT}/UpdateService/FirmwareInventory`;
export const REGISTRIES = `${ROOT}/Registries`;
export const JSON_SCHEMAS = `${ROOT}/JsonSchemas`;
/** Of the file that a client gets there. */
export const schemaPath = (id: string): string => `${JSON_SCHEMAS}/${id}/en`;
export const EVENT_SERVICE = `${ROOT}/EventService`;
export const TASKS = `${ROOT}/TaskService/Tasks`;
