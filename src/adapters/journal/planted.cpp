#include "adapters/journal/planted.hpp"

namespace hitless::journal {

#ifdef HITLESS_FAILPOINTS
namespace {
LeftOut left_out = LeftOut::nothing;
}

void leave_out(LeftOut check) {
  left_out = check;
}
bool planted(LeftOut check) {
  return left_out == check;
}
#else
void leave_out(LeftOut) {}
bool planted(LeftOut) {
  return false;
}
#endif

}  // namespace hitless::journal
