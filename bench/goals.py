"""Goals of the benchmark: each is printed as met or not met, and all are counted."""


class Goals:
    def __init__(self):
        self.rows = []

    def add(self, what, value, limit, unit="", most=True):
        met = value <= limit if most else value >= limit  # not a number: not met
        self.rows.append(met)
        print("  %-8s %s: %.4g%s (goal %s %g%s)" % (
            "met" if met else "NOT MET", what, value, unit, "<=" if most else ">=", limit, unit), flush=True)

    def failed(self, what, why):
        self.rows.append(False)
        print("  NOT MET  %s: %s" % (what, why), flush=True)

    def verdict(self):
        return "bench: %d of %d goals met" % (sum(self.rows), len(self.rows))
