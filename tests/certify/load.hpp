#pragma once

namespace hitless::certify {

// The prober at `rate` for `seconds`, against a server in another process; prints what it cost.
int measure_load(double rate, int seconds);

}  // namespace hitless::certify
