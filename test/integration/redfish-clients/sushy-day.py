"""OpenStack's Redfish library walks through one server and changes what can be changed.

Reads {url, user, password, certificate, image} from standard input, prints what it saw as JSON.
"""

import json
import sys
import time

import sushy
from sushy import auth

asked = json.load(sys.stdin)
signed = auth.SessionAuth(asked["user"], asked["password"])
root = sushy.Sushy(asked["url"], auth=signed, verify=asked["certificate"])
[system] = root.get_system_collection().get_members()


def wait_for_power(wanted):
    for _ in range(200):
        system.refresh(force=True)
        if system.power_state == wanted:
            return
        time.sleep(0.05)
    raise SystemExit("power is %s, not %s" % (system.power_state, wanted))


system.reset_system(sushy.RESET_ON)
wait_for_power(sushy.PowerState.ON)

system.set_system_boot_options(
    target=sushy.BOOT_SOURCE_TARGET_PXE,
    enabled=sushy.BOOT_SOURCE_ENABLED_CONTINUOUS,
    mode=sushy.BOOT_SOURCE_MODE_BIOS,
)
system.refresh(force=True)

bios = system.bios
name = next(key for key, value in bios.attributes.items() if isinstance(value, bool))
bios.set_attribute(name, not bios.attributes[name])
bios.refresh(force=True)

[manager] = system.managers
[drive] = manager.virtual_media.get_members()
drive.insert_media(asked["image"])
drive.refresh(force=True)
inserted = {"image": drive.image, "inserted": drive.inserted}

[chassis] = system.chassis
[storage] = system.storage.get_members()
firmware = root.get_update_service().firmware_inventory.get_members()
seen = {
    "redfish_version": root.redfish_version,
    "uuid": system.uuid,
    "serial_number": system.serial_number,
    "manufacturer": system.manufacturer,
    "memory_gib": system.memory_summary.size_gib,
    "processors": [p.model for p in system.processors.get_members()],
    "architecture": system.processors.summary.architecture.value,
    "nics": sorted(system.ethernet_interfaces.summary),
    "drives": [[d.model, d.capacity_bytes] for d in storage.drives],
    "boot": [
        system.boot.target.value,
        system.boot.enabled.value,
        system.boot.mode.value,
    ],
    "bios_pending": [name, bios.pending_attributes[name] != bios.attributes[name]],
    "media": inserted,
    "manager": manager.firmware_version,
    "chassis": chassis.chassis_type.value,
    "temperatures": [t.reading_celsius for t in chassis.thermal.temperatures],
    "firmware": sorted(item.version for item in firmware),
    "sessions": len(root.get_session_service().sessions.get_members()),
}

drive.eject_media()
system.reset_system(sushy.RESET_FORCE_OFF)
wait_for_power(sushy.PowerState.OFF)
signed.close()
json.dump(seen, sys.stdout)
