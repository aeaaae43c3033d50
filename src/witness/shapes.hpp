// The requests of a prober's mix as texts, made once. Private to src/witness.
#pragma once
#include <string>
#include <vector>

#include "witness/prober.hpp"

namespace hitless::witness {

// One (type, path): its request text, and its credit in the smooth weighted round robin that
// interleaves the mix evenly and the same way every time.
struct Shape {
  RequestType type = RequestType::get_new;
  std::string path;
  std::string expect;
  std::string head;  // up to the id of a POST, or the upgrade headers of a WebSocket
  std::string tail;  // what follows
  std::int64_t weight = 0;
  std::int64_t credit = 0;
};
[[nodiscard]] std::vector<Shape> shapes_of(const ProberConfig& config);
[[nodiscard]] Shape& next_of(std::vector<Shape>& shapes);

[[nodiscard]] bool is_kept(RequestType type);
[[nodiscard]] bool is_post(RequestType type);

}  // namespace hitless::witness
