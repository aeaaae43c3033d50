"""What the incidents share: how one is registered, and what is right after a bad change."""
from world import *  # noqa: F403

CASES = {}  # number: (name, what is right, function)


def case(number, name, right):
    def keep(function):
        CASES[number] = (name, right, function)
        return function
    return keep


class NotRun(Exception):
    """Cannot be made here; the table says so, and the evaluation fails."""


def wrapped(world, **drop_in):
    """The app runs from /opt/app/run on all hosts."""
    world.on_all(DROP_IN, WRAPPED + drop_in.get("more", ""))
    world.on_all(RUN, drop_in.get("run", START), 0o755)
    world.restart_all()


def rolled_back(world, text, category, component, path, before, recommended="roll_back"):
    """What is right after a bad change of the app: one host met it, all is as it was."""
    world.exit_code(ROLLED_BACK)
    found = world.graded(text, category, component, recommended)
    world.same_files(path, before)
    world.all_in()
    world.touched("app.service", "web01")
    world.nothing_lost()
    return found
