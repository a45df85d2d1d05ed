"""A controller made of pyghmi's parts: power, boot device, and a console that repeats."""

import sys

from pyghmi.ipmi.bmc import Bmc


class Repeating(Bmc):
    power = "off"
    device = "default"

    def get_power_state(self):
        return self.power

    def power_on(self):
        self.power = "on"

    def power_off(self):
        self.power = "off"

    def power_reset(self):
        pass

    def power_shutdown(self):
        self.power = "off"

    def get_boot_device(self):
        return self.device

    def set_boot_device(self, device):
        self.device = device

    def is_active(self):
        return self.power == "on"

    def iohandler(self, typed):
        if self.sol:
            self.sol.send_data(typed.upper())


user, password, port = sys.argv[1], sys.stdin.readline().strip(), int(sys.argv[2])
Repeating({user: password}, port=port, address="127.0.0.1").listen()
