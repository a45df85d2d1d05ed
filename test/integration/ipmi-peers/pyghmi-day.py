"""Does with pyghmi what a person does with a server in a day, and tells what it saw."""

import json
import sys

from pyghmi.ipmi.command import Command

asked = json.load(sys.stdin)
server = Command("127.0.0.1", asked["user"], asked["password"], port=asked["port"])
told = {"before": server.get_power()["powerstate"]}
server.set_power("on", wait=20)
server.set_bootdev("network", uefiboot=True)
told["boot"] = server.get_bootdev()
told["sensors"] = {one.name: one.units for one in server.get_sensor_data()}
told["log"] = [one["component"] for one in server.get_event_log()]
told["system"] = dict(server.get_inventory())["System"]["Serial Number"]
told["mac"] = server.get_net_configuration()["mac_address"]
guest = {"uid": 4, "name": "guest", "password": "Guest-secret-1"}
server.create_user(privilege_level="operator", **guest)
told["guest"] = server.get_user(4)["access"]["privilege_level"]
server.user_delete(4)
told["users"] = [one["name"] for one in server.get_users().values()]
told["after"] = server.set_power("off", wait=20)["powerstate"]
server.ipmi_session.logout()
print(json.dumps(told))
