"""The three ways to roll a service over the lab's hosts, each as a command that bench/meter.py can run."""
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
PORTS = {"app": 8080, "web": 80}
UNITS = {"app": "app.service", "web": "nginx.service"}
VERBS = {"app": "restart", "web": "reload"}

# No waiting that is not for something to happen, as the peers have none: the policy that compares.
BARE = {"at_once": 1, "drain": {"deadline": "30s", "quiet": "0ms"},
        "verify": {"stability": "0ms", "compare_latency": False},
        "rejoin": {"soak": "0ms", "traffic_wait": "5s"}}
BARE_HEALTH = {"interval": "20ms", "rise": 1}


class Tool:
    def __init__(self, lab, service, folder):
        self.lab, self.service, self.folder = lab, service, folder
        self.sockets = [lb.socket for lb in lab.lbs.values()]
        os.makedirs(folder, exist_ok=True)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path


class Hitless(Tool):
    name = "hitless"

    def __init__(self, lab, service, folder, binary, text):
        super().__init__(lab, service, folder)
        self.state = os.path.join(folder, "state")
        self.binary, self.fleet = binary, self.write("hitless.yaml", text)

    def argv(self, verb=None, *more):
        return [self.binary, verb or VERBS[self.service], self.service, "-f", self.fleet, "--state-dir", self.state, *more]

    def command(self):
        return self.argv(None, "--yes", "--progress", "quiet"), {}

    def reading(self, *argv):
        return [self.binary, *argv, "--state-dir", self.state]


class Ansible(Tool):
    """As the modules' documentation has it: waits of 5 s."""
    name, interval = "ansible", 5

    def command(self):
        lab, service = self.lab, self.service
        inventory = {"fleet": {
            "hosts": {name: {"address": host.address} for name, host in sorted(lab.hosts.items())},
            "vars": {"backend": "be_" + service, "port": PORTS[service], "unit": UNITS[service], "sockets": self.sockets, "interval": self.interval,
                     "unit_state": VERBS[service] + "ed" if service == "app" else "reloaded"}}}
        path = self.write("inventory.json", json.dumps(inventory))
        control = os.path.join(self.folder, "cp")
        env = {"ANSIBLE_CONFIG": os.path.join(HERE, "peers", "ansible", "ansible.cfg"), "HOME": self.folder,
               "ANSIBLE_SSH_ARGS": "-F %s -o ControlMaster=auto -o ControlPersist=60s" % lab.ssh_config,
               "ANSIBLE_SSH_CONTROL_PATH_DIR": control, "ANSIBLE_LOCAL_TEMP": os.path.join(self.folder, "tmp")}
        return ["ansible-playbook", "-i", path, os.path.join(HERE, "peers", "ansible", "rolling.yml")], env


class AnsibleQuick(Ansible):
    """With the shortest waits that its modules take."""
    name, interval = "ansible, 1 s", 1


class TightLoop(Tool):
    name = "shell loop"

    def command(self):
        service = self.service
        return [os.path.join(HERE, "peers", "tight_loop.sh"), self.lab.ssh_config, "be_" + service, str(PORTS[service]),
                VERBS[service], UNITS[service], " ".join(self.sockets),
                *("%s=%s" % (name, host.address) for name, host in sorted(self.lab.hosts.items()))], {}
