"""OpenStack's Redfish library asks the services beside a server: events, updates, tasks, manager.

Reads {url, user, password, certificate, listener} from standard input, prints what it saw as JSON.
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

events = root.get_event_service()
subscription = events.subscriptions.create(
    {
        "Destination": asked["listener"],
        "Protocol": "Redfish",
        "Context": "sushy",
        "EventTypes": ["Alert"],
    }
)
events.submit_test_event(
    "1",
    "2026-01-01T00:00:00Z",
    "Alert",
    "it is hot",
    ["CPU1"],
    "Contoso.1.0.TemperatureHigh",
    "/redfish/v1/Systems/1",
    "Warning",
)

update = root.get_update_service().simple_update("http://127.0.0.1/bios.bin")
for _ in range(200):
    if not update.is_processing:
        break
    time.sleep(0.05)
    update.refresh()

system.set_indicator_led(sushy.INDICATOR_LED_LIT)
system.bios.reset_bios()
[manager] = system.managers
seen = {
    "destination": subscription.destination,
    "event_types": subscription.event_types,
    "update": update.get_task().task_state.value,
    "tasks": len(root.get_task_service().tasks.get_members()),
    "secure_boot": system.secure_boot.enabled,
    "restarts": sorted(one.value for one in manager.get_allowed_reset_manager_values()),
    "session_timeout": root.get_session_service().session_timeout,
}
manager.reset_manager(sushy.RESET_MANAGER_GRACEFUL_RESTART)
# Its session is gone, and it signs in again.
system.refresh(force=True)
seen["indicator"] = system.indicator_led.value
json.dump(seen, sys.stdout)
