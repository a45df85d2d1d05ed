import { startIpmiFront } from './ipmi/ipmi-front.ts';
import type { RackFronts } from './rack.ts';
import { startRedfishFront } from './redfish/front.ts';

/** The protocols in front of each server of a lab. */
export const LAB_FRONTS: RackFronts = { redfish: startRedfishFront, ipmi: startIpmiFront };
