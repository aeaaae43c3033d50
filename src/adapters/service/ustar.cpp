#include "adapters/service/ustar.hpp"

#include <array>
#include <cstdio>
#include <cstring>

#include "base/names.hpp"

namespace hitless::service {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameBytes = 100, kPrefixBytes = 155;

// ustar keeps a long name as prefix "/" name; cut at the first slash that leaves both short enough.
bool split_name(const std::string& path, std::string& prefix, std::string& name) {
  if (path.size() <= kNameBytes) {
    name = path;
    return true;
  }
  for (std::size_t slash = path.find('/'); slash != std::string::npos && slash <= kPrefixBytes;
       slash = path.find('/', slash + 1)) {
    if (path.size() - slash - 1 > kNameBytes) continue;
    prefix = path.substr(0, slash);
    name = path.substr(slash + 1);
    return true;
  }
  return false;
}

std::array<char, kBlock> header(const std::string& prefix, const std::string& name,
                                std::size_t size) {
  std::array<char, kBlock> block{};
  const auto put = [&](std::size_t at, const std::string& text) {
    std::memcpy(block.data() + at, text.data(), text.size());
  };
  char size_octal[13];
  std::snprintf(size_octal, sizeof size_octal, "%011zo", size);
  put(0, name);
  put(100, "0000600");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size_octal);
  put(136, "00000000000");
  put(148, "        ");  // the checksum counts itself as blanks
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  put(345, prefix);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char sum_octal[8];
  std::snprintf(sum_octal, sizeof sum_octal, "%06o", sum);
  put(148, std::string(sum_octal, 7));
  return block;
}

}  // namespace

Result<std::string> make_ustar(const std::map<std::string, std::string>& files) {
  std::string out;
  for (const auto& [path, content] : files) {
    if (auto fine = check_absolute_path(path); !fine)
      return tl::unexpected<Error>(std::move(fine.error()));
    std::string prefix, name;
    if (!split_name(path.substr(1), prefix, name))
      return fail(ErrorCode::invalid, "the path is too long to be staged", path);
    const auto block = header(prefix, name, content.size());
    out.append(block.data(), block.size());
    out += content;
    out.append((kBlock - content.size() % kBlock) % kBlock, '\0');
  }
  out.append(2 * kBlock, '\0');
  return out;
}

}  // namespace hitless::service
