"""Times from a rollout's journal: the floor that no controller can go below, and what hitless added to it.

floor of an instance  = drain + start + rise, from its own events:
  drain  from the first reading that says it is not in rotation to the first with nothing in flight
  start  from the intent of the restart or reload to the first reading that shows it done: a health check that passes
         after a restart; after a reload, that new workers run and none of before accepts any more (nginx is not there yet
         when `systemctl reload` returns, and what answers until then is the old configuration)
  rise   from there to the first reading in which the load balancer's check passes on every node (0 when it never failed)
overhead of an instance = its turn (from the re-check's intent to `done`) less its floor."""
import datetime
import json


class Turn:
    def __init__(self):
        self.begin = self.end = self.left = self.quiet = self.act = self.acted = self.fit = self.failed = self.risen = None
        self.replaced = None  # after a reload
        self.effects = {}

    @property
    def seconds(self):
        return self.end - self.begin

    @property
    def floor(self):
        ready = self.fit or self.replaced or self.acted
        drain = (self.quiet or self.left or 0) - (self.left or 0)
        rise = max(0.0, self.risen - ready) if self.failed and self.risen else 0.0
        return drain + (ready - self.act) + rise

    @property
    def after_command(self):
        """What the service needed after its command had returned."""
        return max(0.0, (self.fit or self.replaced or self.acted) - self.acted)

    @property
    def overhead(self):
        return self.seconds - self.floor


def seconds_of(at):
    return datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


def entries(show_json):
    for line in show_json.splitlines():
        entry = json.loads(line)
        if "event" in entry:
            yield seconds_of(entry["at"]), entry["event"]


def see_traffic(turn, at, reading):
    if turn is None or turn.begin is None or turn.end is not None:
        return
    if reading["state"] not in ("in", "in_unhealthy") and turn.left is None:
        turn.left = at
    if reading["state"] == "out" and reading["in_flight"] == 0 and turn.left and turn.quiet is None:
        turn.quiet = at
    if turn.act and reading["check"] == "fail":
        turn.failed, turn.risen = turn.failed or at, None
    if turn.failed and reading["check"] == "pass" and turn.risen is None:
        turn.risen = at


def read(show_json):
    """({instance: Turn}, {"preflight": s, "first_turn": s, "all": s}) of the text that `hitless show R --json` prints."""
    turns, pending, first, last, restart = {}, {}, None, None, True
    for at, event in entries(show_json):
        first, last, kind = first or at, at, event["type"]
        if kind == "rollout_started":
            restart = event["plan"]["action"] == "restart"
        elif kind == "effect_intended":
            effect = event["effect"]
            pending[effect["id"]] = (effect["kind"], effect["instance"], at)
            turn = turns.setdefault(effect["instance"], Turn())
            if effect["kind"] == "recheck" and turn.begin is None:
                turn.begin = at
            elif effect["kind"] == "act":
                turn.act = at
        elif kind == "effect_finished":
            name, instance, since = pending.get(event["effect_id"], ("", "", at))
            turns[instance].effects[name] = at - since
            if name == "act":
                turns[instance].acted = at
        elif kind == "health_seen":
            turn = turns.get(event["instance"])
            if turn and turn.acted and restart and turn.fit is None and event["reading"]["status"] == "pass":
                turn.fit = at
        elif kind == "service_seen":
            turn = turns.get(event["instance"])
            if turn and turn.acted and not restart and turn.replaced is None and event["reading"]["verdict"] == "proven":
                turn.replaced = at
        elif kind == "traffic_seen":
            for name, reading in event["readings"]:
                see_traffic(turns.get(name), at, reading)
        elif kind == "advanced" and event["to"] == "done":
            turns[event["instance"]].end = at
    turns = {name: turn for name, turn in turns.items() if turn.end and turn.begin}
    begin = min(turn.begin for turn in turns.values())
    return turns, {"preflight": begin - first, "turns": max(turn.end for turn in turns.values()) - begin, "all": last - first}


def list_schedule(durations, at_once):
    """Makespan when each next one starts as soon as one of `at_once` places is free."""
    places = [0.0] * at_once
    for seconds in durations:
        places.sort()
        places[0] += seconds
    return max(places)


def batches(durations, at_once):
    """Makespan of fixed batches, each as slow as its slowest."""
    return sum(max(durations[i:i + at_once]) for i in range(0, len(durations), at_once))
