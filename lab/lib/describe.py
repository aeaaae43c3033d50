"""describe.py STATEDIR: writes lab.json and lab.env there from the facts on standard input."""
import json
import os
import shlex
import sys


def read_facts(lines, state):
    lab = {"hosts": {}, "lbs": {}}
    for line in lines:
        key, *values = line.split()
        if key == "host":
            name, address, leader = values
            lab["hosts"][name] = {"address": address, "leader_pid": int(leader), "root": f"{state}/hosts/{name}/root",
                                  "nginx_port": 80, "app_port": 8080}
        elif key == "lb":
            name, address, port, pid = values
            lab["lbs"][name] = {"address": address, "pid": int(pid), "config": f"{state}/{name}/haproxy.cfg",
                                "log": f"{state}/{name}/haproxy.log", "socket": f"{state}/{name}/admin.sock",
                                "master_socket": f"{state}/{name}/master.sock", "socket_tcp": f"{address}:{port}",
                                "web_url": f"http://{address}:80", "app_url": f"http://{address}:81"}
        elif key == "dep":
            address, port, pid = values
            lab["dep"] = {"url": f"http://{address}:{port}/healthz", "pid": int(pid)}
        else:
            lab[key] = int(values[0]) if key == "index" else values[0]
    for name in ("ssh_config", "known_hosts", "key"):
        lab[name] = f"{state}/{name}"
    return lab


def environment(lab):
    env = {"LAB_NAME": lab["name"], "LAB_STATE": lab["state"], "LAB_SUBNET": lab["subnet"],
           "LAB_SSH_CONFIG": lab["ssh_config"], "LAB_DEP_URL": lab["dep"]["url"], "LAB_HOSTS": " ".join(lab["hosts"])}
    for name, host in lab["hosts"].items():
        env["LAB_" + name.upper()] = host["address"]
    for name, node in lab["lbs"].items():
        key = "LAB_" + name.upper().replace("-", "")
        env.update({key: node["address"], key + "_SOCKET": node["socket"], key + "_TCP": node["socket_tcp"],
                    key + "_MASTER": node["master_socket"]})
    return env


def write(path, text):
    with open(path + ".new", "w") as out:
        out.write(text)
    os.rename(path + ".new", path)


if __name__ == "__main__":
    facts = read_facts(sys.stdin, sys.argv[1])
    write(sys.argv[1] + "/lab.json", json.dumps(facts, indent=2) + "\n")
    write(sys.argv[1] + "/lab.env", "".join(f"{k}={shlex.quote(v)}\n" for k, v in environment(facts).items()))
